import os
from dataclasses import dataclass, field

import pytest
import yaml

from gluon_glore import InputError, get_spec, list_models
from gluon_glore.data.image import Preprocess
from tests.helpers.places import ROOT
from train.config.checks import above_0
from train.config.cityscapes import SceneConfig
from train.config.kinetics import VideoConfig
from train.config.load import load_config, to_dict
from train.config.optim import Optim
from train.config.sections import Config


def write(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_files_state_differences_from_the_defaults(tmp_path):
    config = load_config(write(tmp_path, "optim: {lr: 0.4, steps: [1, 2]}\nseed: 3\n"))
    assert (config.optim.lr, config.optim.steps, config.seed) == (0.4, (1, 2), 3)
    assert config.data == Config().data
    assert load_config(write(tmp_path, "")) == Config()


def test_overrides_win_over_the_file(tmp_path):
    path = write(tmp_path, "optim: {lr: 0.4}")
    config = load_config(path, ["optim.lr=1", "model.name=tiny", "data.size=[32, 48]"])
    assert (config.optim.lr, config.model.name, config.data.size) == (1.0, "tiny", (32, 48))


def test_a_configuration_survives_yaml(tmp_path):
    text = "data: {mean: [1, 2]}\naugment: {area: [0.5, 1]}\noptim: {lr_mult: {conv-m2: 0.5}}"
    config = load_config(write(tmp_path, text))
    assert config.optim.lr_mult == {"conv-m2": 0.5}
    assert load_config(write(tmp_path, yaml.safe_dump(to_dict(config)))) == config


def test_the_scale_of_pixels_is_one_number_or_one_a_channel(tmp_path):
    for text, scale in (("0.5", 0.5), ("[0.5, 0.25, 2]", (0.5, 0.25, 2.0))):
        for cls in (Config, VideoConfig, SceneConfig):
            config = load_config(write(tmp_path, f"data: {{scale: {text}}}"), cls=cls)
            assert config.data.scale == scale
            again = load_config(write(tmp_path, yaml.safe_dump(to_dict(config))), cls=cls)
            assert again == config
            assert Preprocess(mean=config.data.mean, scale=config.data.scale).scale == scale


def test_a_number_without_a_dot_is_the_number_it_is(tmp_path):
    """YAML 1.1 reads 1e-3 as text: in a file and by --set, in lists and dictionaries."""
    texts = {
        "optim.lr": ("1e-3", 0.001),
        "data.mean": ("[1e2, 2E+1, 3]", (100.0, 20.0, 3.0)),
        "data.scale": ("1e-2", 0.01),
        "optim.lr_mult": ("{conv: 5e-1}", {"conv": 0.5}),
    }
    for key, (text, number) in texts.items():
        section, name = key.split(".")
        for lines, overrides in ((f"{section}: {{{name}: {text}}}", ()), ("", (f"{key}={text}",))):
            config = load_config(write(tmp_path, lines), overrides)
            value = getattr(getattr(config, section), name)
            assert value == number and type(value) is type(number), (key, overrides)


def test_paths_begin_at_the_users_folder_where_they_say_so(tmp_path, monkeypatch):
    """No shell writes "~" out in a file, nor in --set data.train=~/x."""
    monkeypatch.setenv("HOME", "/home/glore")
    text = "data: {train: ~/a_*.rec, class_names: ./~/x}\nmodel: {pretrained: ~/run}"
    config = load_config(write(tmp_path, text), ["data.val=~/b.rec"])
    data = config.data
    assert (data.train, data.val) == ("/home/glore/a_*.rec", "/home/glore/b.rec")
    assert (config.model.pretrained, data.class_names) == ("/home/glore/run", "./~/x")
    assert load_config(write(tmp_path, ""), ["data.root=~/v"], VideoConfig).data.root == (
        "/home/glore/v"
    )


def test_another_tasks_configuration_has_its_own_sections_and_defaults(tmp_path):
    @dataclass(frozen=True)
    class Loss:
        weight: float = 1.0

        def check(self):
            above_0({"loss.weight": self.weight})

    @dataclass(frozen=True)
    class Other:
        optim: Optim = field(default_factory=lambda: Optim(epochs=7, schedule="poly"))
        loss: Loss = field(default_factory=Loss)
        seed: int = 0

        def check(self):
            if self.seed == self.optim.epochs:
                raise InputError("config key seed must not be that")

    config = load_config(write(tmp_path, "optim: {lr: 0.5}\nloss: {weight: 2}"), cls=Other)
    assert config.optim == Optim(epochs=7, schedule="poly", lr=0.5)
    assert config.loss.weight == 2
    for override, message in (
        ("loss.weight=0", "loss.weight must be above 0, given 0"),
        ("seed=7", "seed must not be that"),
        ("model.name=tiny", "unknown config key model, known: optim, loss, seed"),
    ):
        with pytest.raises(InputError, match=message):
            load_config(tmp_path / "config.yaml", [override], Other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optim: {learning_rate: 1}", "unknown config key optim.learning_rate, known: epochs"),
        ("optim: {weight_decai: 1}", "did you mean optim.weight_decay?"),
        ("optin: {lr: 1}", "unknown config key optin, did you mean optim?"),
        ("optim: {lr: 1e-4x}", "optim.lr expects float, given '1e-4x'"),
        ("optim: {lr: 1e999}", "optim.lr expects float, given '1e999'"),
        ("optim: {epochs: 1e2}", "optim.epochs expects int, given '1e2'"),
        ("optim: {epochs: 1.5}", "optim.epochs expects int, given 1.5"),
        ("optim: {epochs: true}", "optim.epochs expects int, given True"),
        ("model: {freeze_norm: 1}", "model.freeze_norm expects bool, given 1"),
        ("data: {size: 224}", "data.size expects a list of 2 int, given 224"),
        ("data: {size: [224]}", "data.size expects a list of 2 int"),
        ("data: {scale: [0.5, 2]}", "data.scale is one number, .* data.mean's 3 channels, given 2"),
        ("data: {scale: [0.5, 0, 2]}", "data.scale must be above 0, given 0"),
        ("data: {scale: []}", "data.scale must be above 0, given 0"),
        ("data: {scale: a}", "data.scale expects float, given 'a'"),
        ("data: {mean: [a]}", r"data.mean\[0\] expects float, given 'a'"),
        ("optim: 3", "config key optim is a section, given 3"),
        ("- 1", "expected keys and values, given list"),
        ("a: [", "not YAML"),
        ("checkpoint: {keep: 0}", "checkpoint.keep must be above 0, given 0"),
        ("checkpoint: {every: -1}", "checkpoint.every is in steps, 0 for none, given -1"),
        ("optim: {epochs: 0}", "optim.epochs must be above 0, given 0"),
        ("data: {resize: 200}", "data.resize must be 0, or data.size's 224 or above, given 200"),
        ("data: {resize: -1}", "data.resize must be 0, .* given -1"),
        ("data: {max_bad: 1}", "data.max_bad must be from 0 to below 1, given 1.0"),
        ("optim: {schedule: exp}", "must be step, cosine or poly, given 'exp'"),
        ("optim: {precision: half}", "must be float32, bfloat16 or float16, given 'half'"),
        ("optim: {momentum: 1}", "optim.momentum must be from 0 to below 1, given 1"),
        ("optim: {label_smoothing: -1}", "optim.label_smoothing must be from 0 to below 1"),
        ("optim: {nesterov: true, momentum: 0}", "optim.nesterov needs optim.momentum above 0"),
        ("optim: {accumulate: 3}", "accumulate must divide optim.batch_size 256, given 3"),
        ("optim: {accumulate: 0}", "optim.accumulate must be above 0, given 0"),
        ("optim: {loss_scale: 3}", "loss_scale must be 0 or a power of two, given 3"),
        ("optim: {recompute: -1}", "optim.recompute must not be below 0, given -1"),
        ("optim: {lr_mult: 2}", "optim.lr_mult expects names and values, given 2"),
        ("optim: {lr_mult: {fc: a}}", "optim.lr_mult.fc expects float, given 'a'"),
        ("optim: {lr_mult: {fc: -1}}", "optim.lr_mult.fc must not be below 0"),
        ("optim: {lr_mult: {'(': 1}}", r"'\(' is no regular expression"),
        ("optim: {warmup_steps: 1.5}", "optim.warmup_steps expects int, given 1.5"),
        ("optim: {warmup_steps: -1}", "optim.warmup_steps must not be below 0, given -1"),
        ("optim: {warmup: 1, warmup_start: 1}", "warmup_start must be from 0 to below 1, given 1"),
        ("optim: {warmup: 1, warmup_steps: 9}", "warmup_steps 9 and optim.warmup 1.* give one of"),
        ("optim: {iterations: -1}", "optim.iterations must not be below 0, given -1"),
        ("optim: {iterations: 9}", r"optim.steps: with optim.iterations 9 they .* \[30, 60, 90\]"),
        ("optim: {iterations: 9, epoch_samples: 8}", "epoch_samples 8 makes .*iterations 9: give"),
        ("optim: {warmup_start: 0.1}", "warmup_start 0.1 needs optim.warmup_steps or optim.warmup"),
        ("model: {new_classifier: true}", "model.new_classifier needs model.pretrained"),
        ("horovod: {compression: int8}", "compression must be none or fp16, given 'int8'"),
        ("horovod: {cycle_ms: -1}", "horovod.cycle_ms must not be below 0"),
        ("horovod: {stall_seconds: -1}", "horovod.stall_seconds must not be below 0"),
        ("augment: {area: [0.5, 0.1]}", "augment.area must rise"),
        ("augment: {area: [0.5, 1.5]}", "augment.area is a share of 1, given 1.5"),
        ("augment: {pad: -1}", "augment.pad must not be below 0, given -1"),
        ("augment: {pad: 4}", r"pad needs augment.area \[1, 1\] .* given \[0.08, 1.0\] and false"),
        ("augment: {pad: 4, area: [1, 1], reduced: true}", "and augment.reduced false, .*and true"),
        (
            "augment: {pad: 4, area: [1, 1], pad_mode: wrap}",
            "must be reflect or zero, given 'wrap'",
        ),
        ("augment: {rand_augment: 15}", "augment.rand_augment is at most 14, given 15"),
        ("augment: {rand_augment: -1}", "augment.rand_augment must not be below 0, given -1"),
        ("augment: {rand_augment: 2, magnitude: 11}", "augment.magnitude is at most 10, given 11"),
        ("augment: {magnitude: 5}", "augment.magnitude needs augment.rand_augment, given none"),
        ("augment: {magnitude_std: 0}", "magnitude_std needs augment.rand_augment, given none"),
        ("augment: {erase: 1.5}", "augment.erase is at most 1, given 1.5"),
        (
            "augment: {erase: 1, erase_area: [0.1, 2]}",
            "augment.erase_area is a share of 1, given 2",
        ),
        ("augment: {erase: 1, erase_area: [0, 1]}", "augment.erase_area must be above 0, given 0"),
        ("augment: {erase_area: [0.1, 0.2]}", "augment.erase_area needs augment.erase, given none"),
        ("augment: {pad_mode: zero}", "augment.pad_mode needs augment.pad, given none"),
        ("augment: {pad: 224, area: [1, 1]}", "augment.pad is below data.size's 224, given 224"),
    ],
)
def test_mistakes_are_named_with_what_is_allowed(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lr", "expects key.key=value, given 'optim.lr'"),
        ("seed.a=1", "seed is a value, not a section"),
        ("optim.lr=[", "not a YAML value"),
        ("optim.lr=", "expects float, given None"),
        ("seed=2001-99-99", "config key seed expects int, given '2001-99-99'"),
        ("seed=!!int x", "--set seed: not a YAML value: 'x' is not a whole number, line 1"),
        ("seed=" + "1" * 5001, "--set seed: not a YAML value: a number of 5001 characters"),
        ("seed=" + "[" * 100_000, "--set seed: not a YAML value: more than 20 levels"),
    ],
)
def test_override_mistakes_are_named(tmp_path, override, message):
    with pytest.raises(InputError, match=message):
        load_config(write(tmp_path, "seed: 1"), [override])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: No such file"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/**/*.yaml")), ids=lambda p: p.stem)
def test_every_config_of_the_repository_loads_and_fits_its_network(path):
    trainers = {"cityscapes": SceneConfig, "kinetics": VideoConfig}
    (cls,) = [c for n, c in trainers.items() if f"-m train.{n} " in path.read_text()] or [Config]
    config = load_config(path, (), cls)
    assert path.read_text().startswith("#")
    if path.stem == "inserted":  # of GluonCV's zoo: train/inserted_units.py
        return
    spec = get_spec(config.model.name)
    assert len(config.data.mean) == spec.in_channels
    frames = (config.clip.frames,) if cls is VideoConfig else ()
    if path.parent.name in ("voc", "ade20k"):  # Cityscapes' network on smaller pictures
        spec.check_input(config.data.size)
    else:
        assert (*frames, *config.data.size) == spec.input_size


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"model: {name: \xe9}")
    with pytest.raises(InputError, match=r"config\.yaml: not a text file in UTF-8"):
        load_config(tmp_path / "config.yaml")


def test_every_network_of_the_papers_table_2_has_its_config():
    networks = {name for name in list_models() if "Table 2" in get_spec(name).source}
    configs = {path.stem: path for path in ROOT.glob("configs/imagenet/*.yaml")}
    assert set(configs) == networks
    for name, path in configs.items():
        config = load_config(path)
        assert config.model.name == name
        # SE-Nets start lower (paper, section 4.1).
        assert config.optim.lr == (0.3 if name.startswith("se_") else 0.4)
        assert f"--config configs/imagenet/{name}.yaml" in path.read_text()


@pytest.mark.parametrize("cls", [Config, SceneConfig, VideoConfig], ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1.0e+999", "1" + "0" * 400])
def test_what_is_no_finite_number_is_refused_for_every_number(tmp_path, cls, value):
    """In the file and by --set; lists and dictionaries of numbers too."""
    leaves = {
        f"{section}.{key}": number
        for section, tree in to_dict(cls()).items()
        if isinstance(tree, dict)
        for key, number in tree.items()
        if isinstance(number, float)
        or (isinstance(number, list) and number and isinstance(number[0], float))
    }
    assert {"optim.lr", "optim.power", "data.mean", "data.scale", "horovod.cycle_ms"} <= set(leaves)
    texts = {
        key: f"[{', '.join([value] * len(number))}]" if isinstance(number, list) else value
        for key, number in leaves.items()
    }
    texts["optim.lr_mult"] = f"{{conv: {value}}}"
    for key, text in texts.items():
        section, name = key.split(".")
        path = write(tmp_path, f"{section}: {{{name}: {text}}}")
        for overrides in ((), (f"{key}={text}",)):
            with pytest.raises(InputError, match=rf"config key {key}.* expects a finite number"):
                load_config(path, overrides, cls)
            path = write(tmp_path, "")


def test_a_whole_number_is_not_infinite_and_a_word_is_no_number(tmp_path):
    for text in ("optim: {epochs: .inf}", "seed: .nan"):
        with pytest.raises(InputError, match="expects int, given"):
            load_config(write(tmp_path, text))
    with pytest.raises(InputError, match="optim.lr expects float, given 'nan'$"):
        load_config(write(tmp_path, "optim: {lr: nan}"))


BOMB = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
BOMB += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n".join(BOMB), "aliases stand for more than 100000 values, line"),
        ("[" * 100_000, "more than 20 levels within each other, line 1, column 21"),
        ("seed: " + "1" * 5001, "a number of 5001 characters, at most 1000, line 1, column 7"),
        ("seed: !!int x", "'x' is not a whole number, line 1, column 7"),
        ("seed: 0b_", "'0b_' is not a whole number, line 1, column 7"),
        ("seed: 1\nseed: 2", "key 'seed' is there twice, line 2, column 1"),
        ("seed: \x00", "not YAML: control characters are not allowed"),
    ],
    ids=range(7),
)
def test_a_strangers_file_is_refused_at_once_with_the_place_in_it(tmp_path, text, line):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=f"^config {path}: {line}"):
        load_config(path)


def test_a_file_that_is_none_or_too_large_is_refused_and_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="^config .*pipe: a named pipe, a file is needed"):
        load_config(tmp_path / "pipe")
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 2**30)
    with pytest.raises(InputError, match="^config .*large: 1073741824 bytes, at most"):
        load_config(tmp_path / "large")


def test_a_file_may_say_a_part_once_and_mean_it_again(tmp_path):
    path = write(tmp_path, "optim: {steps: &s [1, 2]}\ncheckpoint: &c {keep: 3}\n")
    assert load_config(path).optim.steps == (1, 2)
    path = write(tmp_path, "model: {name: &n tiny}\ndata: {train: *n}\n")
    assert load_config(path).data.train == "tiny"


def test_a_configuration_may_come_through_a_pipe():
    out, into = os.pipe()
    with os.fdopen(into, "w") as file:
        file.write("seed: 5")
    assert load_config(f"/dev/fd/{out}").seed == 5
    os.close(out)


def test_a_long_value_or_key_is_told_by_its_beginning(tmp_path):
    many = f"[{', '.join(['x'] * 10_000)}]"
    for text in (
        f"seed: {many}",
        f"optim: {many}",
        f"data: {{size: {many}}}",
        f"optim: {{schedule: {'k' * 900}}}",
        f"{'k' * 900}: 1",
        '"a\\n\\e[2J": 1',
    ):
        with pytest.raises(InputError) as refused:
            load_config(write(tmp_path, text))
        assert len(str(refused.value)) < 250 and str(refused.value).isprintable()
