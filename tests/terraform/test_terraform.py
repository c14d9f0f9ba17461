"""examples/terraform: by the documented schema, against the names that the gate opens, and by Terraform itself."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from check import faults
from configuration import Body, Configuration, literal, load, values

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "terraform"
UNREACHABLE = re.compile(r"could not connect to|failed to request discovery", re.IGNORECASE)


@pytest.fixture
def example() -> Configuration:
    return load(EXAMPLE)


@pytest.fixture
def service(example: Configuration) -> Body:
    (found,) = [
        body
        for address, body in example.of_type("resource").items()
        if address.startswith("fastly_service_compute.")
    ]
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(
        EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns(".terraform*")
    )


def constant(name: str, path: str) -> str:
    """Return a text constant of the gate."""
    found = re.search(rf'const {name}: &str = "(.+)";', (ROOT / path).read_text())
    assert found
    return found[1]


def test_the_example_is_as_the_provider_documents(example: Configuration) -> None:
    assert faults(example) == []


# Each with what the check must say.
BROKEN = {
    "an unknown resource": (
        "fastly_kvstore",
        "fastly_kv_store",
        "fastly_kv_store.gate: not in schema",
    ),
    "an unknown attribute": (
        "override_host ",
        "host_override ",
        "backend.host_override: not in schema",
    ),
    "an unknown block": (
        "logging_https {",
        "log_https {",
        "fastly_service_compute.gate.log_https: not in schema",
    ),
    "a missing attribute": (
        "    url          = var.log_url\n",
        "",
        "logging_https: url is missing",
    ),
    "a missing attribute of a dynamic block": (
        "address           = backend.value.address\n",
        "\n",
        "backend: address is missing",
    ),
    "a set attribute that is read-only": (
        "name = var.service_name",
        "name = var.service_name\n  active_version = 1",
        "active_version: the provider sets it",
    ),
    "a text instead of a truth value": (
        "= true\n      ssl_check",
        '= "yes"\n      ssl_check',
        "'yes' is no bool",
    ),
    "a second package": ("  package {", "  package {}\n\n  package {", "package: more than 1"),
    "a reference to no resource": (
        "= fastly_kvstore.gate.id",
        "= fastly_kvstore.fastgate.id",
        "fastly_kvstore.fastgate.id: there is no such resource",
    ),
    "a reference to no data source": (
        "data.fastly_package_hash.gate.hash",
        "data.fastly_package_hash.other.hash",
        "there is no such data",
    ),
    "a reference to no attribute": (
        "_hash.gate.hash",
        "_hash.gate.sha512",
        "there is no such attribute",
    ),
    "a reference to no variable": (
        "= var.domain\n",
        "= var.host\n",
        "var.host: it is not declared",
    ),
    "a reference to no local value": (
        "= local.own_domain",
        "= local.own",
        "local.own: it is not declared",
    ),
    "a reference to no member": (
        "backend.value.port",
        "backend.value.ports",
        "the variable has no such member",
    ),
    "a reference to another iterator": (
        "backend.key",
        "backends.key",
        "there is no block `dynamic`",
    ),
    "an unused variable": (
        "var.log_url",
        '"https://logs.example.com"',
        "variable.log_url: it is not used",
    ),
    "another provider": ("fastly/fastly", "hashicorp/fastly", "fastly is not fastly/fastly"),
    "an older version": ("~> 9.5", "~> 8.0", "excludes 9."),
}


@pytest.mark.parametrize(("before", "after", "fault"), BROKEN.values(), ids=BROKEN)
def test_the_check_notices(copy: Path, before: str, after: str, fault: str) -> None:
    text = (copy / "main.tf").read_text()
    assert before in text
    (copy / "main.tf").write_text(text.replace(before, after))
    found = faults(load(copy))
    assert any(fault in each for each in found), found


def test_the_service_has_what_the_gate_opens(service: Body) -> None:
    store = constant("STORE", "src/store_keys.rs")
    links = [each.attributes for each in service.named("resource_link")]
    assert [literal(link["name"]) for link in links] == [store, store]
    assert {str(link["resource_id"]) for link in links} == {
        "${fastly_kvstore.gate.id}",
        "${fastly_secretstore.gate.id}",
    }
    endpoint = constant("ENDPOINT", "src/compute/log.rs")
    logs = [body for name, body in service.blocks if name.startswith("logging_")]
    assert [literal(log.attributes["name"]) for log in logs] == [endpoint]


def test_each_service_has_stores_of_its_own(example: Configuration) -> None:
    for resource in ("fastly_kvstore", "fastly_secretstore"):
        name = example.blocks[f"resource.{resource}.gate"].attributes["name"]
        assert name == "${var.service_name}"


def test_every_backend_is_reached_by_tls_with_one_name(service: Body) -> None:
    (backend,) = service.named("backend")
    written = backend.attributes
    assert (written["use_ssl"], written["ssl_check_cert"]) == (True, True)
    assert (
        len(
            {
                written[f"{name}"]
                for name in ("override_host", "ssl_sni_hostname", "ssl_cert_hostname")
            }
        )
        == 1
    )


def test_the_values_are_those_of_the_variables(example: Configuration) -> None:
    given = values(EXAMPLE / "terraform.tfvars.example")
    variables = example.of_type("variable")
    needed = {name for name, body in variables.items() if "default" not in body.attributes}
    assert given.keys() == needed


def test_the_package_is_the_one_that_make_dist_writes() -> None:
    package = str(literal(values(EXAMPLE / "terraform.tfvars.example")["package"]))
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    (name,) = re.findall(
        r'"(fastgate-\{version\}-compute\S+)"', (ROOT / "dev/dist/__main__.py").read_text()
    )
    written = ROOT / "dist" / name.format(version=version)
    assert Path(os.path.normpath(EXAMPLE / package)) == written
    assert name.format(version="<version>") in (EXAMPLE / "variables.tf").read_text()


def test_no_policy_and_no_key_is_in_the_state(example: Configuration) -> None:
    assert not [text for text in example.expressions() if re.search(r"\bfile\w*\(", text)]


def terraform(*arguments: str, folder: Path, data: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    # The provider's own data go elsewhere, and Terraform asks nobody for its newest version.
    environment = os.environ | {"TF_DATA_DIR": str(data), "CHECKPOINT_DISABLE": "1"}
    command = [program, *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_terraform_formats_the_files_as_they_are(tmp_path: Path) -> None:
    written = sorted(path.name for path in EXAMPLE.glob("*.tf"))
    done = terraform("fmt", "-check", "-diff", *written, folder=EXAMPLE, data=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_terraform_validates_the_example(copy: Path, tmp_path: Path) -> None:
    """With the provider from its registry, which some machines cannot reach."""
    data = tmp_path / "data"
    done = terraform("init", "-backend=false", "-input=false", "-no-color", folder=copy, data=data)
    if done.returncode and UNREACHABLE.search(" ".join(done.stderr.split())):
        pytest.skip("the registry of Terraform's providers is out of reach")
    assert done.returncode == 0, done.stderr
    done = terraform("validate", "-json", folder=copy, data=data)
    assert json.loads(done.stdout)["diagnostics"] == []
