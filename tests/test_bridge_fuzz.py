"""PharmacoSets bent at random and on purpose: read alike by both back ends, or refused alike."""

import inspect
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import r_bridge

sys.path.insert(0, str(Path(__file__).parent))
import made_psets as made
from made_psets import NA_INT, POINTER, S4, Linked, R, slots

MEASURE = "auc_recomputed"


def read(path, backend, **kwargs):
    return r_bridge.read_pset(path, MEASURE, "mean", backend=backend, progress=False, **kwargs)


def described(path, backend):
    said = r_bridge.describe(path, backend=backend, progress=False)
    return {key: value for key, value in said.items() if key != "backend"}


def response(change):
    """Bend the response, a list of tables."""
    return slots(lambda all_: change(all_["treatmentResponse"]))


def long(change):
    """Bend the slots of a TreatmentResponseExperiment."""
    return slots(lambda all_: change(all_["treatmentResponse"].slots))


def attribute(slot, name, value):
    return slots(
        lambda all_: made.bend(all_, slot, lambda frame: frame.attributes.update({name: value}))
    )


def of_table(table, name, value):
    """Bend an attribute of a table of the response."""
    return response(
        lambda tables: made.bend(
            tables, table, lambda frame: frame.attributes.update({name: value})
        )
    )


def measure(values):
    return response(
        lambda tables: made.bend(
            tables, "profiles", lambda frame: frame.value.update({MEASURE: values})
        )
    )


def of_profiles(change):
    """Bend the profiles as a matrix, as they were in 2016."""

    def bend(all_):
        frame = all_["treatmentResponse"]["profiles"]
        profiles = made.matrix(frame.to_numpy(), frame.index, frame.columns)
        change(profiles)
        all_["treatmentResponse"]["profiles"] = profiles

    return slots(bend)


def key(slot, name, value):
    return long(lambda s: s[slot].value.update({name: value}))


def in_index(name, value):
    return long(lambda s: s[".intern"].value["assayIndex"].value.update({name: value}))


def in_profiles(name, value):
    return long(lambda s: s["assays"]["profiles"].value.update({name: value}))


ONE = [np.zeros(1), ["a"]]
NO_TEXT = {
    "numbers": np.array([3, 1], np.int32),
    "numbers with NA": np.array([NA_INT, -3], np.int32),
    "a list": {"a": ["x"], "b": None},
    "an object": S4("Foo", {"a": ["x"]}, "bar"),
    "NA": [None, None],
}
N = 46
BENT = {
    **{
        f"class of sample is {what}": (
            "current",
            attribute("sample", "class", value),
            "the slot sample is no data frame",
        )
        for what, value in NO_TEXT.items()
    },
    **{
        f"class of info is {what}": (
            "current",
            of_table("info", "class", value),
            r"the slot treatmentResponse has no table 'info' among \['info', 'raw', 'prof",
        )
        for what, value in NO_TEXT.items()
    },
    **{
        f"row names of sample are {what}": (
            "current",
            attribute("sample", "row.names", value),
            f"the slot sample: the names of the rows are no text, but of type {kind}",
        )
        for what, value, kind in (
            ("a list", ONE * 4, "list"),
            ("booleans", np.ones(8, np.int8), "logical"),
        )
    },
    "profiles of too many rows": (
        "current",
        of_table("profiles", "row.names", np.array([NA_INT, -2_000_000], np.int32)),
        f"the slot treatmentResponse: the data frame claims 2000000 rows, where columns have {N}",
    ),
    "matrix whose columns have no names": (
        "current",
        of_profiles(lambda m: m.attributes.pop("dimnames")),
        "the profiles of the slot treatmentResponse have no measures",
    ),
    "measure that is a matrix": (
        "current",
        measure(R(np.zeros(N), {"dim": np.array([N, 1], np.int32)})),
        r"has no measure 'auc_recomputed'. It has \['auc_published', 'ic50_p",
    ),
    "measure that is a list": (
        "current",
        measure([np.zeros(1)] * N),
        r"has no measure 'auc_recomputed'. It has \['auc_published', 'ic50_p",
    ),
    "measure that is a factor without levels": (
        "current",
        measure(R(np.ones(N, np.int32), {"class": ["factor"]})),
        "the factor 'auc_recomputed' has codes that do not fit its levels",
    ),
    "response of text with the names of tables": (
        "current",
        slots(lambda s: s.update(treatmentResponse=R(["x"] * 2, {"names": ["info", "profiles"]}))),
        r"the slot treatmentResponse has no table 'info' among \['info', 'profiles'\]",
    ),
    "response whose names are numbers": (
        "current",
        slots(lambda s: s.update(treatmentResponse=R(ONE, {"names": np.arange(2.0)}))),
        r"the slot treatmentResponse has no table 'info' among \[\]",
    ),
    "response whose names are NA": (
        "current",
        slots(lambda s: s.update(treatmentResponse=R(ONE, {"names": [None, "raw"]}))),
        r"the slot treatmentResponse has no table 'info' among \['', 'raw'\]",
    ),
    "response of another class": (
        "current",
        slots(lambda s: s.update(treatmentResponse=S4("Foo", {}))),
        r"the slot treatmentResponse has no assay 'profiles', only \[\]",
    ),
    "response that is a pointer": (
        "current",
        slots(lambda s: s.update(treatmentResponse=POINTER)),
        "the slot treatmentResponse has no table 'info' among",
    ),
    **{
        f"{name} of {slot} is {what}": (
            "tre",
            key(slot, name, value),
            f"the slot treatmentResponse: {slot}: the column {name!r} is no plain vector",
        )
        for slot, name in (
            ("rowData", "rowKey"),
            ("colData", "colKey"),
            ("rowData", "treatment1id"),
        )
        for what, value in (("NULL", None), ("a list", ONE))
    },
    **{
        f"{name} of the index is {what}": (
            "tre",
            in_index(name, value),
            rf"the slot treatmentResponse: .intern\$assayIndex: the column {name!r} is no plain ve",
        )
        for name in ("rowKey", "colKey", ".profiles")
        for what, value in (("NULL", None), ("a list", ONE))
    },
    "profiles without their key": (
        "tre",
        in_profiles(".profiles", None),
        "the slot treatmentResponse: the profiles: the column '.profiles' is no plain vector",
    ),
    "profiles with keys of their own that are NULL": (
        "tre",
        long(lambda s: s["assays"]["profiles"].value.update(rowKey=None, colKey=None)),
        "the slot treatmentResponse: the column 'rowKey' is no plain vector",
    ),
}


@pytest.mark.parametrize("case", BENT)
def test_what_is_bent_is_named_with_file_and_slot(case, backend, tmp_path):
    generation, edit, message = BENT[case]
    path = made.write(tmp_path / "bent.rds", made.pset(generation, edit=edit), pack="none")
    with pytest.raises(ValueError, match="^bent.rds:? .*" + message) as caught:
        read(path, backend)
    assert type(caught.value) is ValueError


def nested(depth):
    made_ = {"a": np.zeros(1)}
    for _ in range(depth):
        made_ = {"a": made_}
    return made_


def curated(value):
    return slots(lambda s: s["curation"].update(sample=value))


HARMLESS = {
    "an annotation 400 lists deep": slots(lambda s: s.update(perturbation=nested(400))),
    "a linked list": slots(lambda s: s.update(perturbation=Linked([np.zeros(1)] * 100))),
    "pointers": slots(lambda s: s.update(perturbation={"a": POINTER, "b": POINTER})),
    "an object within": slots(lambda s: s.update(perturbation=S4("Foo", {"x": POINTER}))),
    "annotation of text": slots(lambda s: s.update(annotation=R(["x"], {"names": ["name"]}))),
    "annotation unnamed": slots(lambda s: s.update(annotation=ONE)),
    "name that is a number": slots(lambda s: s["annotation"].update(name=np.zeros(1))),
    "our note as text": slots(lambda s: s["annotation"].update(rtdmf_bio=["x"])),
    "curation of a class that is no text": curated(R(ONE, {"class": np.zeros(1)})),
    "curation without names": slots(lambda s: s.update(curation=ONE)),
    "names that are not UTF-8": slots(lambda s: s.update({"molecularProfiles": {"a": ["\xff"]}})),
    "infos that are NULL": response(lambda r: r.update(raw=None, n=None)),
    "row names as a positive count": of_table("info", "row.names", np.array([NA_INT, N], np.int32)),
    "row names as numbers": of_table("profiles", "row.names", np.arange(1, N + 1, dtype=np.int32)),
    "a class of many": of_table("info", "class", ["tbl_df", None, "data.frame"]),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_bent_elsewhere_changes_nothing(case, backend, tmp_path):
    path = made.write(tmp_path / "bent.rds", made.pset("current", edit=HARMLESS[case]))
    whole = made.write(tmp_path / "whole.rds", made.pset("current"))
    assert np.array_equal(read(path, backend).X, read(whole, backend).X, equal_nan=True)


def test_text_of_bytes_without_a_meaning_is_read_alike(needs_r, tmp_path):
    odd = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D, 0x80, 0xFF])

    def edit(parts):
        if not hasattr(parts, "slots"):
            parts.sample = parts.sample.rename(index={"HeLa": odd})
            parts.info["sampleid"] = parts.info["sampleid"].replace("HeLa", odd)

    path = made.write(tmp_path / "bent.rds", made.pset("current", edit=edit))
    one, other = (read(path, backend) for backend in ("r", "rdata"))
    assert list(one.var_names) == list(other.var_names)
    assert list(one.var_names)[4] == "<81><8d><8f><90><9d>€ÿ"


# What only R writes


CONTENT = {
    "raw": "as.raw(0:255)",
    "complex": "c(NA_complex_, 1i)",
    "function": "function(x, ...) x + 1",
    "function of base": "base::lapply",
    "builtin": "sum",
    "special": "`if`",
    "byte code": """compiler::cmpfun(function(x, ...) {
        g <- function(a) { for (i in 1:3) a <- a + i; a }
        tryCatch(g(x), error = function(e) NULL, finally = cat("x"))
        switch(x, a = 1, b = 2, 3) })""",
    "promise": '(function(a) environment())(stop("never"))',
    "dots": "(function(...) environment())(1, 2, b = 3)",
    "call": "quote(f(x, y = 2, ...))",
    "formula": "y ~ x + z",
    "expression": "expression(a + b, c)",
    "missing argument": "formals(function(a, b = 2) NULL)",
    "environments": """list(globalenv(), baseenv(), emptyenv(), .BaseNamespaceEnv,
        asNamespace("stats"), list2env(list(a = 1)), as.environment("package:stats"))""",
    "object with data": 'setClass("Bar", contains = "numeric")(1:3 + 0)',
    "reference class": 'setRefClass("Gen", fields = list(a = "numeric"))$new(a = 1)',
    "generic": 'getGeneric("show")',
    "pairlist": "as.pairlist(as.list(1:1000))",
    "5000 lists deep": "{ d <- NULL; for (i in 1:5000) d <- list(d); d }",
    "vectors kept as rules": """list(1:1e6, 10:1, as.character(1:99), as.character(c(NA, 1L)),
        as.character(c(NA, NaN, Inf, .5)), sort(c("b", "a")), sort(c(2.5, 1)), 1:9 + 0)""",
}


@pytest.fixture(scope="module")
def r_files(tmp_path_factory, needs_r):
    """Files by R, one for each of ``CONTENT`` in the annotation."""
    folder = tmp_path_factory.mktemp("by_r")
    made.write(folder / "in.rds", made.pset("current"))
    puts = "\n".join(f"put({i}, {code})" for i, code in enumerate(CONTENT.values()))
    code = f"""
    library(methods); options(expressions = 5e5, warn = -1)
    setwd("{folder}"); x <- readRDS("in.rds")
    put <- function(i, v) {{
      attr(x, "annotation")$extra <- v
      saveRDS(x, paste0(i, ".rds")); saveRDS(x, paste0(i, "_text.rds"), ascii = TRUE)
    }}
    {puts}
    n <- {N}L; ids <- 100000L * seq_len(n)
    r <- attr(x, "treatmentResponse")
    bend <- function(name, f) {{
      attr(x, "treatmentResponse") <- f(r); saveRDS(x, paste0(name, ".rds"))
    }}
    names_ <- function(new) function(r) {{
      attr(r$info, "row.names") <- new; attr(r$profiles, "row.names") <- new; r
    }}
    bend("down", names_(n:1)); bend("text", names_(as.character(ids)))
    bend("doubles", names_(as.character(ids / 7e9))); bend("large", names_(as.character(ids + 0)))
    bend("measure", function(r) {{
      r$profiles$auc_recomputed <- as.character(c(NA, NaN, Inf, seq_len(n - 3) / 7e9)); r }})
    y <- 1; f <- function(z) z; e <- new.env(); e$x <- x
    save(y, f, x, e, file = "several.rda"); save(e, file = "inside.rda")
    save(list = character(), file = "none.rda"); saveRDS(list(a = x), "inside.rds")
    """
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("case", CONTENT)
@pytest.mark.parametrize("end", ["", "_text"])
def test_whatever_r_puts_beside_the_response_is_passed_over(case, end, r_files, backend):
    path = r_files / f"{list(CONTENT).index(case)}{end}.rds"
    expected = described(r_files / "in.rds", "r")
    assert described(path, backend) == expected


@pytest.mark.parametrize("case", ["down", "text", "doubles", "large"])
def test_row_names_that_r_keeps_as_a_rule_are_read_as_r_shows_them(case, r_files):
    code = f"""x <- readRDS("{r_files / case}.rds")
    cat(rownames(attr(x, "treatmentResponse")$info), sep = "\\n")"""
    shown = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
    for backend in ("r", "rdata"):
        rows = read(r_files / f"{case}.rds", backend).uns["pset"]["experiments"].index
        assert rows.tolist() == shown.stdout.split(), backend


def test_a_measure_that_r_keeps_as_text_is_read_alike(r_files):
    one, other = (read(r_files / "measure.rds", backend) for backend in ("r", "rdata"))
    assert np.array_equal(one.X, other.X, equal_nan=True)
    assert one.uns["pset"]["n_infinite"] == other.uns["pset"]["n_infinite"] == 1


@pytest.mark.parametrize(
    "name, message",
    [
        ("none.rda", "none.rda holds no PharmacoSet, only nothing"),
        ("inside.rda", "inside.rda is no PharmacoSet, but of class other"),
        ("inside.rds", "inside.rds is no PharmacoSet, but of class list"),
    ],
)
def test_a_pharmacoset_within_something_else_is_not_looked_for(name, message, r_files, backend):
    with pytest.raises(ValueError, match=message):
        read(r_files / name, backend)


def test_one_pharmacoset_among_other_objects_is_found(r_files, backend):
    assert read(r_files / "several.rda", backend).uns["pset"]["object"] == "x"


@pytest.mark.slow
def test_a_linked_list_of_100000_is_read_without_r(tmp_path):
    """R 4.2 itself overflows its stack over this one."""
    edit = slots(lambda s: s.update(perturbation=Linked([np.zeros(1)] * 100_000)))
    path = made.write(tmp_path / "long.rds", made.pset("current", edit=edit), pack="none")
    limit = sys.getrecursionlimit()
    assert read(path, "rdata").shape == (5, 7)
    assert sys.getrecursionlimit() == limit


# Chance


def refused_or_read(path, backend):
    """Whether a file is refused, as it must be: with its name, and as nothing but a ValueError."""
    refusal = None
    try:
        read(path, backend)
    except ValueError as error:
        refusal = error
    assert refusal is None or (type(refusal) is ValueError and path.name in str(refusal))
    return refusal is not None


@pytest.mark.parametrize("pack", made.PACK)
@pytest.mark.parametrize("generation", ["2016", "tre"])
def test_a_file_cut_anywhere_is_refused(pack, generation, backend, tmp_path):
    path = tmp_path / "cut.rds"
    whole = made.PACK[pack](made.serialized(made.pset(generation)))
    lengths = [*range(12), *random.Random(2).sample(range(12, len(whole) - 9), 18)]
    for length in lengths:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut.rds (is not|cannot be read as) an R file"):
            read(path, backend)


@pytest.mark.parametrize("pack", ["gzip", "bzip2", "xz"])
def test_damage_to_a_packed_file_is_refused_without_r(pack, tmp_path):
    """Checksums find it; R, which reads on before it compares them, may crash."""
    path = tmp_path / "flipped.rds"
    whole = made.PACK[pack](made.serialized(made.pset("current")))
    rng = random.Random(3)
    for _ in range(30):
        data = bytearray(whole)
        data[rng.randrange(len(data) // 8, len(data) - 8)] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        assert refused_or_read(path, "rdata")


@pytest.mark.slow
@pytest.mark.parametrize("generation", ["2016", "2022a", "tre"])
def test_damage_inside_is_refused_by_name_or_harmless(generation, tmp_path):
    path = tmp_path / "flipped.rds"
    whole = made.serialized(made.pset(generation))
    rng = random.Random(4)
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 1, 5])):
            data[rng.randrange(20, len(data))] = rng.choice([0, 254, 255, rng.randrange(256)])
        path.write_bytes(data)
        refused += refused_or_read(path, "rdata")
    assert 5 < refused < 60


def apart(paths, backend):
    """Try to read files in a process that may crash and may not take much memory."""
    code = f"""
    import resource, sys
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    import r_bridge
    for path in {list(map(str, paths))!r}:
        try:
            r_bridge.read_pset(path, {MEASURE!r}, backend={backend!r}, progress=False)
            print("read")
        except ValueError as error:
            print(type(error).__name__, str(error))
    """
    run = [sys.executable, "-c", inspect.cleandoc(code)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout.splitlines()


def test_damage_to_numbers_and_text_does_not_crash_r(needs_r, tmp_path):
    """Damage to the structure does, in readRDS: nobody but R can help that."""
    whole = made.serialized(made.pset("current"))
    numbers = made.truth().profiles[MEASURE].to_numpy().view(np.uint64).astype(">u8").tobytes()
    places = [*range(at := whole.index(numbers), at + len(numbers))]
    for text in (b"NCI-H1703", b"17-AAG", b"cervix", b"drugid_0_"):
        places += range(at := whole.index(text), at + len(text))
    rng = random.Random(5)
    paths = []
    for i, place in enumerate(rng.sample(places, 60)):
        data = bytearray(whole)
        data[place] = rng.randrange(1, 256)
        paths.append(tmp_path / f"flipped_{i}.rds")
        paths[-1].write_bytes(data)
    said = apart(paths, "r")
    assert len(said) == len(paths)
    for path, text in zip(paths, said, strict=True):
        assert text == "read" or (text.startswith("ValueError") and path.name in text)


FATAL = {
    **{
        f"rows of {table} by the billion": (
            of_table(table, "row.names", np.array([NA_INT, 1 - 2**31], np.int32)),
            "claims 2147483647 rows",
        )
        for table in ("info", "profiles")
    },
    "profiles of an unknown number of rows": (
        of_table("profiles", "row.names", np.array([NA_INT, NA_INT], np.int32)),
        f"the slot treatmentResponse: the data frame claims 0 rows, where columns have {N}",
    ),
    "matrix of more columns than entries": (
        of_profiles(lambda m: m.attributes.update(dim=np.array([N, 5], np.int32))),
        f"the matrix of {N} x 5 has {4 * N} entries",
    ),
    "matrix of an unknown number of rows": (
        of_profiles(lambda m: m.attributes.update(dim=np.array([NA_INT, 4], np.int32))),
        f"the matrix of -1 x 4 has {4 * N} entries",
    ),
    "names of a matrix as linked list": (
        of_profiles(lambda m: m.attributes.update(dimnames=Linked([["a"], ["b"]]))),
        "the profiles of the slot treatmentResponse have no measures",
    ),
    "bounds of an impossible shape": (
        slots(
            lambda s: s["annotation"].update(
                rtdmf_bio={"x": {"bounds": R(np.zeros(2), {"dim": np.array([NA_INT], np.int32)})}}
            )
        ),
        None,
    ),
}


@pytest.mark.slow
def test_attributes_that_make_c_code_stumble_do_no_harm(backend, tmp_path):
    paths = [tmp_path / f"bent_{i}.rds" for i in range(len(FATAL))]
    for path, (edit, _) in zip(paths, FATAL.values(), strict=True):
        made.write(path, made.pset("current", edit=edit))
    said = apart(paths, backend)
    for path, text, (_, message) in zip(paths, said, FATAL.values(), strict=True):
        if message is None:
            assert text == "read"
        else:
            assert re.match(rf"ValueError {path.name}: .*({message})", text), text


# On the way back


def corrected(path):
    adata = read(path, "rdata")
    adata.layers["rtdmf"] = np.nan_to_num(adata.X, nan=0.5)
    return adata


def test_data_of_another_orientation_are_refused(backend, tmp_path):
    source = made.write(tmp_path / "in.rds", made.pset("current"))
    with pytest.raises(ValueError, match=r"None of the drugs \(A375, .* is in in.rds"):
        r_bridge.write_pset(
            corrected(source).T, source, tmp_path / "out.rds", backend=backend, progress=False
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in.rds"]


def test_a_source_that_changed_since_is_refused(backend, tmp_path):
    source = made.write(tmp_path / "in.rds", made.pset("current"))
    adata = corrected(source)

    def edit(parts):
        if not hasattr(parts, "slots"):
            parts.info.iloc[[0, 1]] = parts.info.iloc[[1, 0]].to_numpy()

    made.write(source, made.pset("current", edit=edit))
    with pytest.raises(ValueError, match=r"in.rds has other experiments .*46 rows, 46 then"):
        r_bridge.write_pset(adata, source, tmp_path / "out.rds", backend=backend, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["in.rds"]


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_an_interrupt_while_tables_are_written_leaves_nothing(moment, tmp_path, monkeypatch):
    from r_bridge._psets import tables

    source = made.write(tmp_path / "in.rds", made.pset("current"))
    adata = corrected(source)
    real, calls = tables.write, []

    def stop(*args, **kwargs):
        calls.append(args)
        if len(calls) > moment:
            raise KeyboardInterrupt
        real(*args, **kwargs)

    (tmp_path / "out_imputed.csv").write_bytes(b"old")
    monkeypatch.setattr(tables, "write", stop)
    with pytest.raises(KeyboardInterrupt):
        r_bridge.write_pset(adata, source, tmp_path / "out.rds", backend="rdata", progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.rds", "out_imputed.csv"]
    assert (tmp_path / "out_imputed.csv").read_bytes() == b"old"


def test_a_folder_in_the_place_of_the_file_is_refused(backend, tmp_path):
    source = made.write(tmp_path / "in.rds", made.pset("current"))
    (tmp_path / "out.rds").mkdir()
    (tmp_path / "out_matrix.rds").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError, match="it exists and is not a file"):
        r_bridge.write_pset(
            corrected(source), source, tmp_path / "out.rds", backend=backend, progress=False
        )
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["", ".profiles", ".x", "rowKey", "treatmentid", "treatment1id"])
def test_a_measure_that_nobody_would_find_again_is_refused(name, backend, tmp_path):
    """Among the profiles of a TreatmentResponseExperiment such names are keys."""
    source = made.write(tmp_path / "in.rds", made.pset("tre"))
    with pytest.raises(ValueError, match=f"{name!r} cannot be the name of a measure"):
        r_bridge.write_pset(
            *(corrected(source), source, tmp_path / "out.rds"),
            measure_name=name,
            backend=backend,
            progress=False,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in.rds"]
