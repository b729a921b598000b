# A model as a service. Build in the repository, with the lock; give the model at the start:
#   docker build -t catsdogs .
#   docker run -p 127.0.0.1:8000:8000 -v "$PWD/models:/models:ro" catsdogs
FROM python:3.12-slim

COPY pyproject.toml requirements.lock README.md LICENSE /src/
COPY catsdogs /src/catsdogs
RUN pip install --no-cache-dir --constraint /src/requirements.lock "/src[serve]" \
    && useradd --system --no-create-home --uid 10001 catsdogs

USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"]

# Within the container it has to listen on all addresses; `-p 127.0.0.1:` keeps others out.
ENTRYPOINT ["catsdogs", "serve", "--host", "0.0.0.0", "--allow-host", "localhost"]
CMD ["/models/catsdogs.h5"]
