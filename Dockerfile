# One file for every process of Freeport: `--build-arg SERVICE=api`, `ingestor`, `scheduler` or `esi_simulator`.

FROM python:3.13-slim AS build
ARG SERVICE
WORKDIR /src
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# The installer itself comes from the lock, too.
COPY requirements.lock ./
RUN sed -n '/^uv==/,/# via/p' requirements.lock >uv.txt \
 && python -m pip install --no-cache-dir --root-user-action ignore --no-deps --require-hashes -r uv.txt

COPY libs libs
COPY services services
COPY tools tools
# Versions and hashes are the lock's, for what the service needs and no more: uv holds what it downloads to the hashes
# of a constraint, too. Something installed that the lock does not name had no hash to be held to; that ends the build.
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv --quiet --python "$(command -v python)" /opt/freeport \
 && uv pip install --python /opt/freeport --no-sources --verify-hashes --compile-bytecode --link-mode copy \
      --constraints requirements.lock --build-constraints requirements.lock \
      ./libs/common ./*/"${SERVICE:?is not given}" \
 && uv pip freeze --python /opt/freeport | grep -v '^freeport-' | sort >installed.txt \
 && grep -oE '^[a-z0-9._-]+==[^ ]+' requirements.lock | sort >locked.txt \
 && comm -23 installed.txt locked.txt | tee unlocked.txt && test ! -s unlocked.txt


FROM python:3.13-slim
ARG SERVICE
ENV SERVICE=${SERVICE} \
    PATH=/opt/freeport/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    API_HOST=0.0.0.0 \
    API_PORT=8000 \
    ESI_SIM_HOST=0.0.0.0 \
    ESI_SIM_PORT=8081
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin freeport
COPY --from=build /opt/freeport /opt/freeport
USER 10001
WORKDIR /

# A server is well when it answers; a consumer or a clock, when it lately got something done.
# hadolint ignore=DL3025 # a choice by service needs the shell
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --start-interval=2s --retries=3 \
  CMD case "$SERVICE" in \
        api) url="http://127.0.0.1:$API_PORT/health" ;; \
        esi_simulator) url="http://127.0.0.1:$ESI_SIM_PORT/status/" ;; \
        *) exec python -m common.heartbeat "$SERVICE" ;; \
      esac; \
      exec python -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=8)' "$url"

# exec: the process itself is number 1 and gets the stop signal.
CMD ["sh", "-c", "exec python -m \"$SERVICE\""]
