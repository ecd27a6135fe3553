# syntax=docker/dockerfile:1
# One image for both roles: `docker run headway api` (the default) or `docker run headway worker`.
# docs/operations/deployment.md describes how to run it; test/deploy/image.test.ts runs these steps without Docker.
# With Node 24.20 and 24.21, uploads stall.
ARG NODE_VERSION=22

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
# No install script runs: packages with native code bring their binaries along.
COPY package.json package-lock.json ./
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build

# Without debug symbols, Node is 18 MB smaller.
FROM build AS slim
RUN apt-get update && apt-get install --yes --no-install-recommends binutils \
    && mkdir /out && strip --output-file /out/node "$(command -v node)"
RUN npm ci --omit=dev --libc=glibc --ignore-scripts --no-audit --no-fund
COPY deploy/docker ./deploy/docker
RUN node deploy/docker/slim.mjs && mkdir --mode=0700 /out/data

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="Headway" \
    org.opencontainers.image.description="Long-running jobs with live progress" \
    org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production DATA_DIR=/data HOST=0.0.0.0 PORT=3000 METRICS_HOST=0.0.0.0 METRICS_PORT=9464
WORKDIR /app
COPY --from=slim /out/node /usr/local/bin/node
COPY --from=slim --chown=nonroot:nonroot /out/data /data
COPY --from=slim /app/package.json ./
COPY --from=slim /app/deploy/docker/entry.mjs /app/deploy/docker/health.mjs ./deploy/docker/
COPY --from=slim /app/node_modules ./node_modules
COPY --from=slim /app/dist ./dist
USER nonroot
# The only folder that is written to. The root file system can be read-only.
VOLUME /data
EXPOSE 3000 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/node", "/app/deploy/docker/health.mjs"]
ENTRYPOINT ["/usr/local/bin/node", "/app/deploy/docker/entry.mjs"]
CMD ["api"]
