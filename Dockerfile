# syntax=docker/dockerfile:1

# The release that package.json pins for development, so that what was tested is what runs.
ARG NODE_VERSION=24.21.0

# --- build: compiles src to dist ---
FROM node:${NODE_VERSION}-alpine AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts/prepare.js scripts/
RUN npm ci --no-audit --no-fund
# The "node" package is for machines with another Node. Its binary wants glibc, and lies first on the path of npm's scripts.
RUN rm -rf node_modules/node node_modules/node-bin-* node_modules/.bin/node
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/clean-dist.js scripts/
COPY src src
RUN npm run build && find dist -name '*.d.ts' -delete

# --- production: what dist needs at run time, nothing else ---
FROM node:${NODE_VERSION}-alpine AS production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts/prepare.js scripts/
RUN npm ci --omit=dev --no-audit --no-fund && find node_modules \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

# --- demo: provider, API and page of docker-compose.yml. Not the gateway: it runs from the last stage. ---
FROM build AS demo
COPY demo demo
RUN mkdir /demo-data && chown node:node /demo-data
USER 1000:1000
ENTRYPOINT ["/usr/local/bin/node", "demo/serve.ts"]

# --- coatcheck: the image ---
FROM node:${NODE_VERSION}-alpine AS coatcheck
# The package managers have no business in a running gateway.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* /usr/local/bin/yarn*
WORKDIR /app
COPY --from=production /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY bin bin
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
EXPOSE 3000
# By number, so that Kubernetes can see that it is not root. Nothing is written: a read-only file system will do.
USER 1000:1000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/coatcheck.js"]
CMD ["start"]
