# One image for every part; the command chooses: coordinator (default), probe, responder.
FROM node:24-bookworm-slim AS web
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN node bin/build.ts

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production DATA_DIR=/data
COPY package.json package-lock.json .npmrc ./
# The image brings its own Node and a database of its own; neither the pinned runtime nor the embedded PostgreSQL is needed here.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund && mkdir /data && chown node:node /data
COPY common common
COPY coordinator coordinator
COPY probe probe
COPY responder responder
COPY bin bin
COPY LICENSE README.md ./
COPY --from=web /app/dist dist
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s CMD ["node", "bin/healthcheck.ts"]
CMD ["node", "coordinator/main.ts"]
