FROM python:3.13.11-slim-trixie AS build
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv==0.13.9 && python -m venv --without-pip /venv
COPY requirements.txt requirements-telemetry.txt ./
RUN uv pip install --no-cache --python /venv/bin/python --no-deps --requirement requirements.txt \
    --requirement requirements-telemetry.txt
ENV PATH=/venv/bin:$PATH
WORKDIR /app
COPY . .
# Hashed and compressed here, so that a running container writes no files. The key signs nothing.
RUN DEBUG=false SECRET_KEY=only-for-the-build ALLOWED_HOSTS=localhost DATABASE_URL=postgres://none@localhost/none \
    python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q .

FROM python:3.13.11-slim-trixie
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin chatbot
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER chatbot
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# Behind a proxy of your own, name it in FORWARDED_ALLOW_IPS: X-Forwarded-* headers are believed from there only.
# The site logs its requests itself (LOG_FORMAT): uvicorn's lines would tell what was searched for.
CMD ["uvicorn", "chatbot.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--loop", "uvloop", \
    "--http", "httptools", "--lifespan", "on", "--no-access-log", "--timeout-graceful-shutdown", "20"]
