"""Shared caches: nginx, Apache and Varnish, each in front of an application, with all of its files in a directory.

Each is told to keep as much as RFC 9111 lets it: to guess a lifetime where none is given, to look past ``Set-Cookie``,
and never at the ``Cookie`` header. Each tells in ``X-Cache`` what it did.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.live import servers
from tests.support import nginx
from tests.support.processes import find_ports, wait_for

NGINX_SITE = """
    proxy_cache_path cache keys_zone=shared:1m;
    server {
        listen 127.0.0.1:%(port)s;
        location / {
            proxy_pass http://127.0.0.1:%(app_port)s;
            proxy_cache shared;
            proxy_cache_valid any 60s;
            proxy_ignore_headers Set-Cookie;
            add_header X-Cache $upstream_cache_status;
        }
    }
"""

# Debian's Apache as it comes stores a Set-Cookie; it only guesses no lifetime without being told.
APACHE_CONFIG = """\
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile apache.pid
ServerName localhost
Listen 127.0.0.1:{port}
ErrorLog log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule cache_module {modules}/mod_cache.so
LoadModule cache_disk_module {modules}/mod_cache_disk.so
CacheRoot {directory}/cache
CacheEnable disk /
CacheHeader on
CacheIgnoreNoLastMod On
CacheDefaultExpire 60
ProxyPass / http://127.0.0.1:{app_port}/
"""

# Varnish's own rules would pass every request with a cookie, and every response with one.
VARNISH_CONFIG = """\
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{app_port}"; }}
sub vcl_recv {{ return (hash); }}
sub vcl_backend_response {{
    if (beresp.http.Cache-Control ~ "(?i)(private|no-store)") {{ set beresp.uncacheable = true; }}
    return (deliver);
}}
sub vcl_deliver {{
    if (obj.hits > 0) {{ set resp.http.X-Cache = "HIT"; }} else {{ set resp.http.X-Cache = "MISS"; }}
}}
"""

VARNISH = shutil.which("varnishd", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")


@contextmanager
def run_nginx(app_port: int) -> Iterator[int]:
    """Run nginx; yield its port."""
    with make_directory() as directory, nginx.run(directory, NGINX_SITE, "port", app_port=app_port) as (port,):
        yield port


@contextmanager
def run_apache(app_port: int) -> Iterator[int]:
    """Run Apache, which serves nothing as root; yield its port."""
    user = "nobody" if os.geteuid() == 0 else None
    with make_directory() as directory:
        (port,) = find_ports(1)
        config = APACHE_CONFIG.format(directory=directory, port=port, app_port=app_port, modules=servers.MODULES)
        (directory / "apache.conf").write_text(config)
        (directory / "cache").mkdir()
        (directory / "log").touch()
        if user:
            for path in (directory, *directory.iterdir()):
                shutil.chown(path, user)
        with run([str(servers.APACHE), "-D", "FOREGROUND", "-f", f"{directory}/apache.conf"], directory, port, user):
            yield port


@contextmanager
def run_varnish(app_port: int) -> Iterator[int]:
    """Run Varnish; yield its port."""
    with make_directory() as directory:
        (port,) = find_ports(1)
        config = directory / "default.vcl"
        config.write_text(VARNISH_CONFIG.format(app_port=app_port))
        options = ["-j", "none", "-n", f"{directory}/varnish", "-s", "malloc,8m", "-f", str(config)]
        with run([str(VARNISH), "-F", "-a", f"127.0.0.1:{port}", *options], directory, port, None):
            yield port


@contextmanager
def run(command: Sequence[str], directory: Path, port: int, user: str | None) -> Iterator[None]:
    """Run a cache until the block ends."""
    with servers.run(command, directory, user, {}) as process:
        wait_for(port, process, directory / "log")
        yield


@contextmanager
def make_directory() -> Iterator[Path]:
    """Make a directory that others may enter."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


#: What each needs, and how it runs in front of the port of an application.
CACHES: dict[str, tuple[bool, Callable[[int], AbstractContextManager[int]]]] = {
    "nginx": (nginx.NGINX is not None, run_nginx),
    "apache2": (servers.APACHE is not None and (servers.MODULES / "mod_cache_disk.so").exists(), run_apache),
    "varnish": (VARNISH is not None, run_varnish),
}
