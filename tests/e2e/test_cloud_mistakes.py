"""The likely mistakes with S3 and Google Cloud Storage, on real servers: what is said, and what helps."""

from __future__ import annotations

import http.server
import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dataver.cli import session
from tests.e2e.cli import Result, environment, finish, start
from tests.e2e.project import Project
from tests.servers.chaos import Chaos, chaos
from tests.servers.daemon import free_port
from tests.servers.faults import Answer, Rule, s3_error
from tests.servers.server import Server

FOR_EVER = None
PACK = "/packs/"
DESCRIPTION = "dataver.toml"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
WEB_PAGE = (("Content-Type", "text/html"),)
DOCTOR = "dataver doctor"
PULL_WORKS = "reading still works (dataver pull); what is allowed: dataver doctor"
RESUME = "run the same command to resume"


@dataclass(frozen=True, slots=True)
class Cloud:
    """A project whose remote lies in a bucket behind a proxy: v1 is pushed, a change is not."""

    project: Project
    url: str
    proxy: Chaos
    server: Server

    def run(self, *args: str, env: Mapping[str, str] | None = None, expect: int | None = 4) -> Result:
        """Run a command, with *env* over the project's environment; it must exit with *expect*."""
        return _run(replace(self.project, env={**self.project.env, **(env or {})}), *args, expect=expect)


def _run(project: Project, *args: str, expect: int | None = 0) -> Result:
    """Run a command in this process: some fifty of them would spend most of their time on starting."""
    stdout, stderr = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(project.env):
            patch.delenv(name)
        for name, value in project.env.items():
            patch.setenv(name, value)
        patch.chdir(project.root)
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", stderr)
        status = session.run(args)
    said = [_text_of(stream) for stream in (stdout, stderr)]
    result = Result(args, said[0], said[1], status)
    assert expect in (None, status), f"expected exit {expect}: {result}"
    return result


def _text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


def _cloud(template: Path, top: Path, server: Server, proxy: Chaos, options: tuple[str, ...]) -> Cloud:
    shutil.copytree(template, top, symlinks=True, dirs_exist_ok=True)
    through = server.through(proxy.url)
    keys = {} if options else dict(through.environment)
    project = Project(top / "churn", environment(top / "home", **keys))
    url = f"{server.fresh_bucket()}/prefix"
    _run(project, "remote", "add", "origin", url, *options)
    project.commit("Name the remote")
    _run(project, "push")
    _change(project, "a.txt")
    return Cloud(project, url, proxy, server)


def _change(project: Project, name: str) -> None:
    """Change a file of data/ and commit that."""
    project.write({f"data/{name}": "changed\n"})
    _run(project, "add", "data")
    project.commit()


@pytest.fixture(scope="module")
def s3_cloud(
    moto_server: Server, tracked_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    with chaos(moto_server.endpoint) as proxy:
        yield _cloud(tracked_template, tmp_path_factory.mktemp("s3"), moto_server, proxy, ())


@pytest.fixture(scope="module")
def gs_cloud(
    gcs_server: Server, tracked_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    with chaos(gcs_server.endpoint) as proxy:
        options = ("--endpoint-url", proxy.url, "--anon")
        yield _cloud(tracked_template, tmp_path_factory.mktemp("gs"), gcs_server, proxy, options)


@pytest.fixture
def s3(s3_cloud: Cloud) -> Iterator[Cloud]:
    """Give the project on S3, with a proxy that passes everything on and has seen nothing."""
    s3_cloud.proxy.forget()
    yield s3_cloud
    s3_cloud.proxy.heal()


@pytest.fixture
def gs(gs_cloud: Cloud) -> Iterator[Cloud]:
    """Give the project on Google Cloud Storage."""
    gs_cloud.proxy.forget()
    yield gs_cloud
    gs_cloud.proxy.heal()


def _shape(result: Result) -> tuple[str, str, str]:
    """Return code, message and hint of what must be one error line and one hint line."""
    first, second = result.stderr.splitlines()
    code, _, message = first.partition("]: ")
    assert code.startswith("error[")
    assert second.startswith("hint: ")
    return code[6:], message, second[6:]


def _s3_answer(status: int, code: str, more: str = "", *headers: tuple[str, str]) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{code}</Message>{more}</Error>"
    return Answer(status, body.encode(), (("Content-Type", "application/xml"), *headers))


def _gs_answer(status: int, message: str) -> Answer:
    body = json.dumps({"error": {"code": status, "message": message, "errors": [{"message": message}]}})
    return Answer(status, body.encode(), (("Content-Type", "application/json"),))


# -- credentials, rights, regions, clocks ------------------------------------------------------------

SKEWED = "refuses requests: this machine's clock is minutes off its own"
S3_ANSWERS: dict[str, tuple[Rule, tuple[str, str, str]]] = {
    "may not write": (
        Rule(s3_error(403, "AccessDenied"), "PUT", PACK, times=FOR_EVER),
        ("access-denied", "not allowed to write {url}/packs/{key} as key ...tkey", PULL_WORKS),
    ),
    "may not read": (
        Rule(s3_error(403, "AccessDenied"), "GET", DESCRIPTION, times=FOR_EVER),
        ("access-denied", "not allowed to read {url}/dataver.toml as key ...tkey", DOCTOR),
    ),
    "key is not known": (
        Rule(s3_error(403, "InvalidAccessKeyId"), times=FOR_EVER),
        (
            "access-denied",
            "not allowed to read {url}/dataver.toml as key ...tkey: the key is not known there",
            DOCTOR,
        ),
    ),
    "secret is wrong": (
        Rule(s3_error(403, "SignatureDoesNotMatch"), times=FOR_EVER),
        (
            "access-denied",
            "not allowed to read {url}/dataver.toml as key ...tkey: the secret key does not fit",
            DOCTOR,
        ),
    ),
    "another region, named in the answer": (
        Rule(_s3_answer(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"), times=FOR_EVER),
        ("wrong-region", "{url} lies in region eu-west-1", "dataver remote set origin region eu-west-1"),
    ),
    "another region, named in a header": (
        Rule(_s3_answer(301, "PermanentRedirect", "", ("x-amz-bucket-region", "eu-south-2")), times=FOR_EVER),
        ("wrong-region", "{url} lies in region eu-south-2", "dataver remote set origin region eu-south-2"),
    ),
    "another region, named nowhere": (
        Rule(_s3_answer(301, "PermanentRedirect"), times=FOR_EVER),
        (
            "wrong-region",
            "{url} lies in another region than the one configured",
            "dataver remote set origin region REGION",
        ),
    ),
    "clock is wrong": (
        Rule(s3_error(403, "RequestTimeTooSkewed"), times=FOR_EVER),
        ("clock-skew", f"{{url}} {SKEWED}", "set this machine's clock, then run the same command again"),
    ),
    "a web page answers": (
        Rule(Answer(200, b"<html>Welcome</html>", WEB_PAGE), times=FOR_EVER),
        (
            "wrong-endpoint",
            "what answers for {url} is no object store (a web page)",
            "dataver remote set origin endpoint_url URL",
        ),
    ),
    "a web server knows no such page": (
        Rule(Answer(404, b"<html>Not found</html>", WEB_PAGE), times=FOR_EVER),
        (
            "wrong-endpoint",
            "what answers for {url} is no object store (status 404)",
            "dataver remote set origin endpoint_url URL",
        ),
    ),
}


@pytest.mark.parametrize("case", S3_ANSWERS)
def test_what_s3_refuses_is_said_with_its_remedy(s3: Cloud, case: str) -> None:
    rule, (code, message, hint) = S3_ANSWERS[case]
    s3.proxy.fail(rule)

    told = _shape(s3.run("push"))

    key = s3.proxy.requests[-1].path.rpartition("/packs/")[2] if PACK in rule.path else ""
    if key:
        key = told[1].partition("/packs/")[2].partition(" ")[0]
        assert any(key in request.path for request in s3.proxy.failed)
    assert told == (code, message.format(url=s3.url, key=key), hint)


GS_TRIED = "environment, gcloud's default credentials, metadata server"
GS_ANSWERS: dict[str, tuple[Rule, tuple[str, str, str]]] = {
    "may not read": (
        Rule(_gs_answer(403, "a@b.example does not have access"), "GET", DESCRIPTION, times=FOR_EVER),
        ("access-denied", "not allowed to read {url}/dataver.toml", DOCTOR),
    ),
    "nobody asks": (
        Rule(_gs_answer(401, "Anonymous caller does not have access"), times=FOR_EVER),
        (
            "no-credentials",
            f"no credentials for remote {{url}}; tried: {GS_TRIED}",
            "gcloud auth application-default login",
        ),
    ),
    "a web page answers": (
        Rule(Answer(200, b"<html>Welcome</html>", WEB_PAGE), times=FOR_EVER),
        (
            "wrong-endpoint",
            "what answers for {url} is no object store (a web page)",
            "dataver remote set origin endpoint_url URL",
        ),
    ),
    "a web server takes no such request": (
        Rule(Answer(405), times=FOR_EVER),
        (
            "wrong-endpoint",
            "what answers for {url} is no object store (status 405)",
            "dataver remote set origin endpoint_url URL",
        ),
    ),
}


@pytest.mark.parametrize("case", GS_ANSWERS)
def test_what_google_refuses_is_said_with_its_remedy(gs: Cloud, case: str) -> None:
    rule, (code, message, hint) = GS_ANSWERS[case]
    gs.proxy.fail(rule)

    told = _shape(gs.run("fetch"))

    assert told == (code, message.format(url=gs.url), hint)


def test_a_write_that_google_denies_names_the_operation(gs: Cloud) -> None:
    gs.proxy.fail(Rule(_gs_answer(403, "a@b.example does not have access"), "POST", times=FOR_EVER))

    code, message, hint = _shape(gs.run("push"))

    assert (code, hint) == ("access-denied", PULL_WORKS)
    assert message.startswith(f"not allowed to write {gs.url}/leases/")


def test_without_s3_credentials_it_says_what_was_tried(s3: Cloud) -> None:
    result = s3.run("push", env=dict.fromkeys(KEYS, ""))

    assert _shape(result) == (
        "no-credentials",
        f"no credentials for remote {s3.url}; tried: environment, profile, instance role",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure",
    )


def test_an_error_is_one_document_of_the_same_words(s3: Cloud) -> None:
    result = s3.run("--json", "push", env=dict.fromkeys(KEYS, ""))

    assert (result.json["exit"], result.code) == (4, "no-credentials")
    assert result.hint == "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run: aws configure"


def test_a_profile_that_does_not_exist_is_named(s3: Cloud) -> None:
    result = s3.run("fetch", env={"DATAVER_REMOTE__ORIGIN__PROFILE": "nobody"}, expect=2)

    code, message, _ = _shape(result)
    assert code == "config"
    assert "nobody" in message


@pytest.mark.parametrize("cloud", ["s3", "gs"])
def test_a_missing_bucket_is_told_from_a_missing_key(cloud: str, request: pytest.FixtureRequest) -> None:
    there: Cloud = request.getfixturevalue(cloud)
    bucket, nothing = f"{cloud}://no-such-bucket-here/x", f"{there.url}/elsewhere"

    no_bucket = _shape(there.run("fetch", env={"DATAVER_REMOTE__ORIGIN__URL": bucket}))
    no_key = _shape(there.run("fetch", env={"DATAVER_REMOTE__ORIGIN__URL": nothing}))

    assert no_bucket == (
        "bucket-not-found",
        f"{bucket} does not exist; dataver never creates buckets",
        "create it with your cloud's tools, or: dataver remote set origin url URL",
    )
    assert no_key == (
        "not-a-remote",
        f"{nothing}: holds no dataver remote",
        f"dataver remote remove origin && dataver remote add origin {nothing}",
    )


def test_a_remote_that_is_being_added_is_not_told_to_be_set(s3: Cloud) -> None:
    result = s3.run("remote", "add", "second", "s3://no-such-bucket-here/x")

    assert _shape(result)[2] == "create it with your cloud's tools, or: dataver remote add second URL"


def test_a_region_that_is_wrong_when_a_remote_is_added_can_be_given_at_once(s3: Cloud) -> None:
    s3.proxy.fail(S3_ANSWERS["another region, named in the answer"][0])
    url = s3.server.fresh_bucket()
    refused = s3.run("remote", "add", "second", url)
    s3.proxy.heal()

    hint = _shape(refused)[2]

    assert hint == f"dataver remote add second {url} --region eu-west-1"


# -- midway ------------------------------------------------------------------------------------------


def test_s3_credentials_that_expire_midway_say_so_and_the_same_command_resumes(
    s3: Cloud, tmp_path: Path
) -> None:
    _expire_midway(s3, tmp_path, Rule(s3_error(400, "ExpiredToken"), "PUT", PACK, after=1, times=FOR_EVER))


def test_google_credentials_that_expire_midway_say_so_and_the_same_command_resumes(
    gs: Cloud, tmp_path: Path
) -> None:
    _expire_midway(
        gs, tmp_path, Rule(_gs_answer(401, "Invalid Credentials"), "POST", after=2, times=FOR_EVER)
    )


def _expire_midway(cloud: Cloud, tmp_path: Path, rule: Rule) -> None:
    shutil.copytree(cloud.project.root.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    project = replace(cloud.project, root=tmp_path / "churn")
    _change(project, "new.txt")
    cloud.proxy.fail(rule)
    refused = _run(project, "push", expect=4)
    cloud.proxy.heal()

    resumed = _run(project, "push")

    code, message, hint = _shape(refused)
    assert (code, message) == (
        "expired-credentials",
        f"the credentials for remote {cloud.url} have expired",
    )
    assert hint.endswith("then run the same command to resume")
    assert resumed.stdout.startswith("Pushed 7 files")


# -- addresses ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unreachable(s3_cloud: Cloud, gs_cloud: Cloud) -> dict[str, Result]:
    """Give what a fetch says that reaches nothing; all at once, since each waits between its tries."""
    places = {
        "nothing listens": f"http://127.0.0.1:{free_port()}",
        "unknown host": "http://no-such-host.invalid",
    }
    started = {
        f"{cloud.server.scheme}: {what}": start(
            "fetch",
            cwd=cloud.project.root,
            env={**cloud.project.env, "DATAVER_REMOTE__ORIGIN__ENDPOINT_URL": place},
        )
        for cloud in (s3_cloud, gs_cloud)
        for what, place in places.items()
    }
    return {name: finish(child) for name, child in started.items()}


@pytest.mark.parametrize("scheme", ["s3", "gs"])
@pytest.mark.parametrize(
    ("what", "why"), [("nothing listens", "nothing listens there"), ("unknown host", "its host is not known")]
)
def test_an_address_that_leads_nowhere_is_offline(
    unreachable: dict[str, Result], scheme: str, what: str, why: str
) -> None:
    result = unreachable[f"{scheme}: {what}"]

    code, message, hint = _shape(result)
    assert (result.exit, code, hint) == (4, "offline", RESUME)
    assert message.startswith(f"cannot reach {scheme}://")
    assert f": {why} (5 tries, " in message


NOT_TRUSTED = "for a company's own authority: set AWS_CA_BUNDLE or SSL_CERT_FILE to its certificates"


@pytest.mark.parametrize("cloud", ["s3", "gs"])
def test_https_to_a_port_that_speaks_http_is_tls(cloud: str, request: pytest.FixtureRequest) -> None:
    there: Cloud = request.getfixturevalue(cloud)
    endpoint = there.server.endpoint.replace("http://", "https://")

    told = _shape(there.run("fetch", env={"DATAVER_REMOTE__ORIGIN__ENDPOINT_URL": endpoint}))

    assert told == (
        "tls",
        f"no trusted TLS connection to {there.url}: its certificate is unknown, or it speaks plain http",
        NOT_TRUSTED,
    )


@dataclass(frozen=True, slots=True)
class Tls:
    """A web server with a certificate that nobody knows, and its authority's."""

    endpoint: str
    authority: Path


class _Welcome(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"<html/>")

    def log_request(self, code: object = "-", size: object = "-") -> None:
        return None


class _Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: who does not trust the certificate hangs up."""


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: it makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Company")
    _openssl(folder, "req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=store")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    _openssl(
        folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-extfile", "names", "-out", "server.pem", "-days", "2",
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    with _Quiet(("127.0.0.1", 0), _Welcome) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield Tls(f"https://127.0.0.1:{server.server_port}", folder / "ca.pem")
        server.shutdown()
        thread.join(10)


def _openssl(folder: Path, *args: str) -> None:
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize("cloud", ["s3", "gs"])
def test_a_certificate_that_nobody_knows_is_tls(cloud: str, tls: Tls, request: pytest.FixtureRequest) -> None:
    there: Cloud = request.getfixturevalue(cloud)

    told = _shape(there.run("fetch", env={"DATAVER_REMOTE__ORIGIN__ENDPOINT_URL": tls.endpoint}))

    assert (told[0], told[2]) == ("tls", NOT_TRUSTED)


@pytest.mark.parametrize(("cloud", "variable"), [("s3", "AWS_CA_BUNDLE"), ("gs", "SSL_CERT_FILE")])
def test_the_hint_about_certificates_makes_one_known(
    cloud: str, variable: str, tls: Tls, request: pytest.FixtureRequest
) -> None:
    there: Cloud = request.getfixturevalue(cloud)
    env = {"DATAVER_REMOTE__ORIGIN__ENDPOINT_URL": tls.endpoint, variable: str(tls.authority)}

    # In a process of its own: what is trusted is read once.
    project = replace(there.project, env={**there.project.env, **env})
    told = _shape(project.run("fetch", expect=4))

    assert told[0] == "wrong-endpoint"


# -- schemes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("az://container/x", "adlfs", "azure"),
        ("sftp://host/x", "paramiko", "sftp"),
        ("webdav://host/x", "webdav4", "webdav"),
    ],
)
def test_a_library_that_is_missing_is_named_with_what_installs_it(
    s3: Cloud, url: str, package: str, extra: str
) -> None:
    result = s3.run("remote", "add", "second", url, expect=2)

    scheme = url.partition("://")[0]
    assert _shape(result) == (
        "missing-extra",
        f"{scheme}:// needs the package {package}",
        f"pip install 'dataver[{extra}]'",
    )


def test_a_scheme_that_nobody_knows_gets_the_one_that_was_meant(s3: Cloud) -> None:
    result = s3.run("remote", "add", "second", "s4://bucket/x", expect=2)

    assert _shape(result) == ("unknown-scheme", "unknown scheme s4://", "did you mean s3://?")


# -- how credentials and addresses are found ---------------------------------------------------------


@pytest.fixture
def bare(s3: Cloud) -> Cloud:
    """Give the project on S3 without anything of S3 in its environment."""
    env = {name: value for name, value in s3.project.env.items() if not name.startswith("AWS_")}
    env["AWS_EC2_METADATA_DISABLED"] = "true"
    return replace(s3, project=replace(s3.project, env=env))


def _header(cloud: Cloud, name: str) -> set[str]:
    """Return what the requests so far said in a header."""
    assert cloud.proxy.requests
    return {request.head.value(name) for request in cloud.proxy.requests}


def _key_of(cloud: Cloud) -> set[str]:
    """Return the ids of the keys that signed the requests so far."""
    said = _header(cloud, "authorization")
    return {text.partition("Credential=")[2].partition("/")[0] for text in said}


def test_keys_and_endpoint_come_from_the_environment(s3: Cloud) -> None:
    s3.run("fetch", expect=0)

    assert _key_of(s3) == {"testkey"}


def test_keys_and_endpoint_come_from_this_clones_own_config(bare: Cloud, tmp_path: Path) -> None:
    shutil.copytree(bare.project.root.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    project = replace(bare.project, root=tmp_path / "churn")
    config = project.local / "config.toml"
    config.write_text(
        f'[remote.origin]\nendpoint_url = "{bare.proxy.url}"\nregion = "us-east-1"\n'
        'access_key_id = "CONFIGKEY"\nsecret_access_key = "configsecret"\n'
    )
    config.chmod(0o600)

    result = _run(project, "fetch", "-v")

    assert _key_of(bare) == {"CONFIGKEY"}
    assert "configsecret" not in result.text


@pytest.mark.parametrize("by", ["DATAVER_REMOTE__ORIGIN__PROFILE", "AWS_PROFILE"])
def test_keys_come_from_a_profile_of_a_shared_file(bare: Cloud, tmp_path: Path, by: str) -> None:
    shared = tmp_path / "shared"
    shared.write_text("[team]\naws_access_key_id = PROFILEKEY\naws_secret_access_key = profilesecret\n")
    env = {
        "AWS_SHARED_CREDENTIALS_FILE": str(shared),
        by: "team",
        "AWS_ENDPOINT_URL": bare.proxy.url,
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    bare.run("fetch", env=env, expect=0)

    assert _key_of(bare) == {"PROFILEKEY"}


def test_anonymous_requests_are_not_signed(s3: Cloud) -> None:
    result = s3.run("fetch", env={"DATAVER_REMOTE__ORIGIN__ANON": "true"})

    # This bucket is not public; the refusal says who was refused.
    assert _header(s3, "authorization") == {""}
    assert _shape(result)[1] == f"not allowed to read {s3.url}/dataver.toml as anonymous"


def test_whoever_pays_for_requests_says_so_in_each(s3: Cloud) -> None:
    s3.run("fetch", env={"DATAVER_REMOTE__ORIGIN__REQUESTER_PAYS": "true"}, expect=0)

    assert _header(s3, "x-amz-request-payer") == {"requester"}


def test_recorded_versions_are_read_through_the_other_client(s3: Cloud) -> None:
    result = s3.run("fetch", env={"DATAVER_REMOTE__ORIGIN__VERSION_AWARE": "true"}, expect=0)

    assert result.stdout.startswith("Nothing to fetch")


# -- what it cost ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["push --dry-run", "fetch", "remote stats", "status --remote"])
def test_requests_that_are_told_are_those_that_a_server_sees(s3: Cloud, command: str) -> None:
    told = s3.run("--json", *command.split(), expect=None).data["requests"]

    seen = len(s3.proxy.requests)
    assert told == seen if command != "push --dry-run" else told > seen


def test_a_push_tells_the_requests_and_bytes_that_a_server_sees(s3: Cloud, tmp_path: Path) -> None:
    shutil.copytree(s3.project.root.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    project = replace(s3.project, root=tmp_path / "churn")
    _change(project, "b.txt")

    done = _run(project, "--json", "push").data

    assert done["requests"] == len(s3.proxy.requests)
    assert done["packs"] == s3.proxy.count("PUT", PACK)
    put = sum(request.sent for request in s3.proxy.requests if request.method == "PUT")
    assert done["sent_bytes"] == put
