import pytest
import yaml

from gluon_glore import InputError, get_spec, list_models
from gluon_glore.plan.fields import spec_from_fields, spec_to_fields


@pytest.mark.parametrize("name", list_models())
def test_every_network_survives_yaml(name):
    spec = get_spec(name)
    fields = yaml.safe_load(yaml.safe_dump(spec_to_fields(spec)))
    assert spec_from_fields(fields, spec.name, spec.source) == spec


def test_fields_of_before_say_a_network_without_what_is_new():
    fields = spec_to_fields(get_spec("tiny"))
    for new in ("momentum", "shared_norm"):
        del fields[new]
    del fields["stem"]["norm_input"]
    assert spec_from_fields(fields, "tiny", get_spec("tiny").source) == get_spec("tiny")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": 3}, "damaged"),
        ({"stages": [{"blocks": "many", "out_channels": 64}]}, "damaged"),
        ({"stages": [{"blocks": 1, "out_channels": 64, "colour": 1}]}, "damaged"),
        ({"stages": [{"blocks": 10**9, "out_channels": 64}]}, "numbers go from 0 to"),
        ({"family": "vgg"}, "family must be one of"),
        ({"momentum": 1.0}, "momentum must be from 0 to below 1, given 1.0"),
        ({"family": "dpn", "shared_norm": True}, "shared_norm is of residual units"),
        ({"colour": "red"}, "damaged"),
        ({"extras": [{"kind": "glore", "stage": 9, "after": 1, "options": {}}]}, "stage must be"),
        ({"input_size": []}, "1 to 3 entries"),
        ({"stem": None}, "damaged"),
    ],
)
def test_fields_that_describe_no_network_are_refused(change, message):
    with pytest.raises(InputError, match=f"description can't be used: .*{message}"):
        spec_from_fields({**spec_to_fields(get_spec("tiny")), **change})


@pytest.mark.parametrize("fields", [None, 7, "resnet50", [1]])
def test_what_is_no_dictionary_is_refused(fields):
    with pytest.raises(InputError, match="description can't be used"):
        spec_from_fields(fields)
