# One image for every part; the command chooses: coordinator (default), probe, responder.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
# Then only what the servers import. The image brings its own Node and is given a database, so that neither the pinned runtime nor the
# embedded PostgreSQL is needed.
RUN node bin/build.ts && npm ci --ignore-scripts --omit=dev --omit=optional

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production DATA_DIR=/data
# A new named volume takes the owner of the folder that it covers.
RUN install -d -o node -g node -m 0700 /data /handover
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/bin bin
COPY --from=build /app/common common
COPY --from=build /app/coordinator coordinator
COPY --from=build /app/probe probe
COPY --from=build /app/responder responder
COPY --from=build /app/dist dist
USER node
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["node", "bin/healthcheck.ts"]
CMD ["node", "coordinator/main.ts"]
