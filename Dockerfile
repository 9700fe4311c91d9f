# The hosted server: docker build -t fcn:0.1.0 . && docker run -p 8501:8501 --read-only --tmpfs /tmp fcn:0.1.0
# To pin the base image by its digest too: docker buildx imagetools inspect python:3.12.12-slim-bookworm, and write
# FROM python:3.12.12-slim-bookworm@sha256:... with what it says under "Digest".
FROM python:3.12.12-slim-bookworm

# What changes least comes first: packages (exact versions with hashes), then models, then code.
WORKDIR /srv/fcn
COPY requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes -r requirements.lock
COPY assets assets
COPY .streamlit .streamlit
COPY app.py ./
COPY fcn fcn
COPY deploy/serve.py deploy/serve.py

# 1000 is the user that Hugging Face Spaces run as. Nothing of the app belongs to it; /tmp alone is written to.
RUN useradd --uid 1000 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin visitor
USER 1000:1000

# The welcome message would ask a server outside for this one's address. STREAMLIT_SERVER_COOKIE_SECRET is given at the
# start, the same to all replicas, and is never part of an image. MALLOC: large blocks go back to the system when free.
ENV HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE=true \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_PORT=8501 \
    TF_CPP_MIN_LOG_LEVEL=3 \
    MALLOC_ARENA_MAX=2 \
    MALLOC_MMAP_THRESHOLD_=1048576

EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=7s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/ready', timeout=6)"]
CMD ["streamlit", "run", "deploy/serve.py"]
