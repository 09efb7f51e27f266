"""What an export says when it is done."""


def report(manifest, folder):
    """A line a runtime, and which units stayed in float32."""
    deployment = manifest.deployment
    lines = [f"{folder}: {manifest.model}, {deployment.precision}"]
    for name, figures in deployment.checked.items():
        lines.append(f"{name:12} differs by {figures['error']:.1e} of the largest logit")
        if "pictures" in figures:
            lines.append(
                f"{'':12} on {figures['pictures']} other pictures by "
                f"{figures['pictures_error']:.1e} on average, same class on "
                f"{figures['pictures_top1_agreement']:.1%}, accuracy {figures['accuracy']:.1%} "
                f"(float32 {figures['float32_accuracy']:.1%})".replace("%", " %")
            )
    for file, units in deployment.float32.items():
        lines.append(f"{file}: in float32 {', '.join(units) or 'no unit'}")
    return "\n".join(lines)
