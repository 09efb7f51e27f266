"""The paper's tables, as far as they count parameters and multiply-adds."""

# Parameters (M) and multiply-adds (G) at 224x224, as the paper's Table 2 prints them.
TABLE_2 = {
    "resnet50": (25.6, 4.0),
    "resnet50_glore_0_3": (30.5, 5.2),
    "resnet50_glore_2_3": (31.4, 6.0),
    "se_resnet50": (28.1, 4.0),
    "se_resnet50_glore_0_3": (33.0, 5.2),
    "resnet200": (64.6, 15.0),
    "resnet200_glore_0_3": (69.7, 16.2),
    "resnet200_glore_2_3": (70.6, 16.9),
    "resnext101_32x4d": (44.3, 8.0),
    "resnext101_32x4d_glore_2_3": (50.3, 9.9),
    "dpn98": (61.7, 11.7),
    "dpn98_glore_2_3": (67.7, 13.6),
    "dpn131": (79.5, 16.0),
    "dpn131_glore_2_3": (85.5, 17.9),
}


# Multiply-adds (G) at 8x224x224, as the paper's Table 5 prints them.
TABLE_5 = {
    "resnet50_3d_glore_2_3_kinetics400": 28.9,
    "resnet50_3d_nl_2_3_kinetics400": 30.5,
    "resnet101_3d_glore_2_3_kinetics400": 54.5,
    "resnet101_3d_nl_2_3_kinetics400": 56.1,
}


# What the counted network has where it does not round to the table, and why.
CUTS = "the usual count of this network; the table cuts off"


VIDEO = "the paper does not print its video backbone; plain, the authors' released one has"


UNITS = "and the five units 5.39; 6.49 in the order of the paper's equations"


BLOCKS = "and the five blocks 8.13"


OFF = {
    ("resnet50", "gflops"): (4.09, CUTS),
    ("resnet50_glore_0_3", "gflops"): (5.32, "the 0.09 of resnet50, and 3 x 0.41 for the units"),
    ("resnet50_glore_2_3", "parameters"): (31.31, "one unit in Res3 has 0.413 M"),
    ("se_resnet50", "gflops"): (4.09, CUTS),
    ("se_resnet50_glore_0_3", "gflops"): (5.32, "the 0.09 of se_resnet50, and 3 x 0.41"),
    ("resnet200", "parameters"): (64.67, CUTS),
    ("resnet200_glore_0_3", "parameters"): (69.61, "3 x 1.645 M, the units that fit in ResNet-50"),
    ("resnet200_glore_2_3", "parameters"): (70.43, "the same, and 2 x 0.413 M"),
    ("resnext101_32x4d", "parameters"): (44.17, "its running statistics may count in the table"),
    ("resnext101_32x4d_glore_2_3", "parameters"): (49.93, "the same, and the five units' 5.76 M"),
    ("resnext101_32x4d_glore_2_3", "gflops"): (9.84, "7.97, and the five units' 1.87 G"),
    ("dpn98", "parameters"): (61.57, "its running statistics may count in the table"),
    ("dpn98_glore_2_3", "parameters"): (67.33, "the same, and the five units' 5.76 M"),
    ("dpn98_glore_2_3", "gflops"): (13.54, "11.67, and the five units' 1.87 G"),
    ("dpn131", "parameters"): (79.25, "its running statistics may count in the table"),
    ("dpn131_glore_2_3", "parameters"): (85.02, "the same, and the five units' 5.76 M"),
    ("resnet50_3d_glore_2_3_kinetics400", "gflops"): (30.67, f"{VIDEO} 25.28, {UNITS}"),
    ("resnet50_3d_nl_2_3_kinetics400", "gflops"): (33.41, f"{VIDEO} 25.28, {BLOCKS}"),
    ("resnet101_3d_glore_2_3_kinetics400", "gflops"): (49.22, f"{VIDEO} 43.83, {UNITS}"),
    ("resnet101_3d_nl_2_3_kinetics400", "gflops"): (51.96, f"{VIDEO} 43.83, {BLOCKS}"),
}
