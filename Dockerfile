ARG BASE=python:3.11-slim
FROM ${BASE} AS build
WORKDIR /build
COPY requirements.lock pyproject.toml README.md ./
COPY src src
COPY migrations migrations
RUN python3 -m venv /liuti \
 && /liuti/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && /liuti/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM ${BASE}
COPY --from=build /liuti /liuti
RUN useradd --system --create-home --home-dir /var/lib/liuti liuti
USER liuti
WORKDIR /var/lib/liuti
ENV PATH=/liuti/bin:$PATH LIUTI_FILES_DIR=/var/lib/liuti/files PYTHONUNBUFFERED=1
EXPOSE 8000
ENTRYPOINT ["liuti"]
CMD ["serve", "--host", "0.0.0.0"]
