"""What a file may contain, looked at without any child: this costs milliseconds, and so may each of its attacks."""

import pytest
from google.protobuf.internal import encoder
from inject.hostile_models import (
    OPSETS,
    calling,
    classifier,
    constant,
    doubling,
    function,
    maps,
    nested,
    outside,
    sequence,
)
from onnx import ModelProto, TensorProto, helper
from onnx.helper import make_node, make_tensor_value_info

from interlock.model.confined.content import examined
from interlock.model.confined.protocol import Failed, Feed, Forbidden, Given, Question


def examine(onnx: ModelProto | bytes, max_nodes: int = 20_000) -> dict:
    content = onnx if isinstance(onnx, bytes) else onnx.SerializeToString()
    asked = Question(
        parent=0,
        path="",
        sha256="",
        size=len(content),
        memory_bytes=0,
        cpu_s=0,
        max_size_bytes=0,
        max_nodes=max_nodes,
        latency_budget_ms=0,
        largest_request=0,
        inputs=[Feed("input", "float32", [])],
        outputs=[Given("label", "int64", None), Given("probabilities", "float32", 3)],
    )
    return examined(content, asked)


def test_a_plain_classifier_is_fine():
    assert examine(classifier()) == {"nodes": 3, "domains": ["ai.onnx"]}


def test_functions_of_its_own_are_fine_and_counted_expanded():
    """skl2onnx writes functions for KNNImputer."""
    assert examine(doubling(3))["nodes"] == 5 + 1 + (2 + 4 + 8) + 8


def test_nested_functions_that_double_at_each_level_are_refused():
    """Fifteen levels are 32,768 leaves, in 1.6 kB."""
    with pytest.raises(Forbidden, match="more than 20000 nodes"):
        examine(doubling(15))


def test_counting_costs_nothing_when_the_functions_would_expand_beyond_any_count():
    """50^13 nodes, and each function is looked at once."""
    wide = [function("f0", []), *(function(f"f{n}", [f"f{n - 1}"] * 50) for n in range(1, 14))]
    with pytest.raises(Forbidden, match="nodes"):
        examine(calling(wide, "f13"), max_nodes=10**18)


def test_a_long_chain_of_functions_is_refused_and_no_recursion_of_ours():
    chain = [function("f0", []), *(function(f"f{n}", [f"f{n - 1}"]) for n in range(1, 5000))]
    with pytest.raises(Forbidden, match="16 deep"):
        examine(calling(chain, "f4999"))


def test_functions_that_call_each_other_in_a_circle_are_refused():
    with pytest.raises(Forbidden, match="call themselves"):
        examine(calling([function("f0", ["f1"]), function("f1", ["f0"])], "f0"))


@pytest.mark.parametrize(("levels", "fine"), [(5, True), (16, True), (17, False), (25, False)])
def test_subgraphs_may_be_nested_sixteen_deep(levels, fine):
    if fine:
        assert examine(nested(levels))["nodes"] > levels
    else:
        with pytest.raises(Forbidden, match="16 deep"):
            examine(nested(levels))


def test_a_file_that_is_nested_too_deep_for_protobuf_does_not_parse():
    def held(field: int, content: bytes) -> bytes:
        return encoder.TagBytes(field, 2) + encoder._VarintBytes(len(content)) + content

    graph = b""
    for _ in range(60):
        graph = held(1, held(5, held(6, graph)))  # a node, an attribute, a graph
    with pytest.raises(Failed, match="no ONNX file"):
        examine(held(7, graph))


def test_too_many_nodes_in_one_graph_are_refused():
    with pytest.raises(Forbidden, match="more than 100 nodes"):
        examine(classifier([make_node("Identity", ["zero"], [f"v{n}"]) for n in range(100)]), max_nodes=100)


@pytest.mark.parametrize("location", ["manifest.json", "/etc/hostname", "../13/model.onnx", "*/_ORT_MEM_ADDR_/*", ""])
def test_an_initializer_outside_the_file_is_refused(location):
    """The last one but one is an address in the memory of the process that opens it."""
    model = classifier()
    model.graph.initializer[0].CopyFrom(outside(location))
    with pytest.raises(Forbidden, match="outside the file"):
        examine(model)


def _in_a_constant(model: ModelProto) -> None:
    model.graph.node.append(make_node("Constant", [], ["c"], value=outside("manifest.json")))


def _in_a_subgraph(model: ModelProto) -> None:
    model.CopyFrom(nested(2))
    model.graph.node[1].attribute[0].g.initializer.append(outside("manifest.json"))


def _in_a_function(model: ModelProto) -> None:
    node = make_node("Constant", [], ["y"], value=outside("manifest.json"))
    opsets = [helper.make_opsetid("", 17)]
    model.CopyFrom(calling([helper.make_function("local", "f", ["x"], ["y"], [node], opsets)], "f"))


def _as_the_default_of_a_function(model: ModelProto) -> None:
    _in_a_function(model)
    del model.functions[0].node[0].attribute[:]
    model.functions[0].attribute_proto.append(helper.make_attribute("value", outside("manifest.json")))


def _in_a_sparse_tensor(model: ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add(dims=[4, 3])
    sparse.values.CopyFrom(outside("manifest.json"))
    sparse.indices.CopyFrom(constant("indices", [0]))


def _in_the_indices_of_a_sparse_constant(model: ModelProto) -> None:
    sparse = helper.make_sparse_tensor(constant("values", [1.0], float), outside("manifest.json"), [4, 3])
    model.graph.node.append(make_node("Constant", [], ["c"], sparse_value=sparse))


def _in_a_list_of_tensors(model: ModelProto) -> None:
    model.graph.node.append(make_node("Identity", ["zero"], ["c"], some=[outside("manifest.json")]))


@pytest.mark.parametrize(
    "hide",
    [
        _in_a_constant,
        _in_a_subgraph,
        _in_a_function,
        _as_the_default_of_a_function,
        _in_a_sparse_tensor,
        _in_the_indices_of_a_sparse_constant,
        _in_a_list_of_tensors,
    ],
)
def test_values_outside_the_file_are_found_wherever_they_hide(hide):
    model = classifier()
    hide(model)
    with pytest.raises(Forbidden, match="outside the file"):
        examine(model)


def test_values_that_only_list_where_they_are_outside_are_found():
    """A location is enough; a reader that looks at it alone would follow it."""
    model = classifier()
    model.graph.initializer[0].external_data.add(key="location", value="manifest.json")
    with pytest.raises(Forbidden, match="outside the file"):
        examine(model)


def test_a_training_graph_is_refused():
    model = classifier()
    model.training_info.add()
    with pytest.raises(Forbidden, match="training graph"):
        examine(model)


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.contrib", "ai.onnx.preview", "evil"])
def test_operators_of_another_domain_are_refused(domain):
    """Whether the file asks for the domain, or only uses it."""
    node = make_node("Anything", ["zero"], ["extra"], domain=domain)
    with pytest.raises(Forbidden, match="domain"):
        examine(classifier([node]))
    with pytest.raises(Forbidden, match="domain"):
        examine(classifier([node], opsets={**OPSETS, domain: 1}))


def test_an_operator_of_another_domain_is_found_in_a_subgraph_and_in_a_function():
    strange = make_node("Anything", ["x"], ["y"], domain="com.microsoft")
    model = nested(2)
    model.graph.node[1].attribute[0].g.node.append(strange)
    with pytest.raises(Forbidden, match="com.microsoft"):
        examine(model)
    made = helper.make_function("local", "f", ["x"], ["y"], [strange], [helper.make_opsetid("", 17)])
    with pytest.raises(Forbidden, match="com.microsoft"):
        examine(calling([made], "f"))


@pytest.mark.parametrize("opsets", [{"": 6}, {"": 22}, {"": 10**9}, {"": -1}, {"": 17, "ai.onnx.ml": 9}])
def test_versions_of_operators_that_no_engine_knows_are_refused(opsets):
    with pytest.raises(Forbidden, match="version"):
        examine(classifier(opsets=opsets))


def test_the_standard_domain_may_be_named():
    assert examine(classifier(opsets={"ai.onnx": 17}))["domains"] == ["ai.onnx"]


@pytest.mark.parametrize("build", [sequence, maps])
def test_answers_that_are_no_tensors_are_refused(build):
    with pytest.raises(Forbidden, match="probabilities' of no tensor"):
        examine(build())


@pytest.mark.parametrize(
    ("outputs", "why"),
    [
        ([("label", TensorProto.INT64)], "it gives 'label' of int64"),
        ([("label", TensorProto.FLOAT), ("probabilities", TensorProto.FLOAT)], "'label' of float"),
        ([("label", TensorProto.INT64), ("probabilities", TensorProto.DOUBLE)], "'probabilities' of double"),
        ([("label", TensorProto.STRING), ("probabilities", TensorProto.FLOAT)], "'label' of string"),
        ([], "it gives nothing"),
    ],
)
def test_other_outputs_than_the_manifest_names_are_refused(outputs, why):
    with pytest.raises(Forbidden, match=why):
        examine(classifier(outputs=[make_tensor_value_info(name, kind, None) for name, kind in outputs]))


def test_another_input_than_the_manifest_names_is_refused():
    model = classifier()
    model.graph.input[0].name = "x\n\x1b[2J"
    with pytest.raises(Forbidden, match=r"it takes 'x\\n\\x1b\[2J' of float"):
        examine(model)


def test_a_second_input_is_refused_unless_the_file_gives_its_value():
    model = classifier()
    model.graph.input.append(make_tensor_value_info("weights", TensorProto.FLOAT, [4, 3]))
    assert examine(model)["nodes"] == 3
    model.graph.input.append(make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    with pytest.raises(Forbidden, match="it takes"):
        examine(model)


def test_a_type_of_an_output_that_no_version_of_onnx_has_is_refused():
    model = classifier()
    model.graph.output[1].type.tensor_type.elem_type = 12345
    with pytest.raises(Forbidden, match="12345"):
        examine(model)


def test_a_file_that_onnxruntime_would_read_in_its_own_format_is_refused():
    """It is valid ONNX, and what was examined would not be what is loaded."""
    model = classifier()
    model.producer_name = "ORTM"
    assert model.SerializeToString()[4:8] == b"ORTM"
    with pytest.raises(Forbidden, match="own format"):
        examine(model)


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 100, b"PK\x03\x04" * 30, b"{}"])
def test_what_is_no_onnx_is_refused(content):
    with pytest.raises((Failed, Forbidden)):
        examine(content)
