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

# --- production: what runs, and nothing else ---
FROM node:${NODE_VERSION}-alpine AS production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts/prepare.js scripts/
# Maps, declarations and sources in TypeScript are for developers: Node.js runs none of them.
RUN npm ci --omit=dev --no-audit --no-fund && find node_modules \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete
RUN rm -rf package-lock.json .npmrc scripts
COPY --from=build /app/dist dist
COPY LICENSE ./
COPY bin bin
# Readable by whoever runs it and writable by root alone, whatever umask the sources were checked out with.
RUN chmod -R u=rwX,go=rX .

# --- demo-parts: the demo's sources, and of the development dependencies the one that they use ---
FROM build AS demo-parts
RUN npm pkg set "dependencies.oidc-provider=$(npm pkg get devDependencies.oidc-provider | tr -d '"')" && npm pkg delete devDependencies && npm prune --ignore-scripts --no-audit --no-fund
RUN rm -rf dist scripts tsconfig*.json package-lock.json .npmrc && find node_modules \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete
COPY demo demo
RUN chmod -R u=rwX,go=rX .

# --- demo: provider, API and page of docker-compose.yml. Not the gateway: it runs from the last stage. ---
FROM node:${NODE_VERSION}-alpine AS demo
WORKDIR /app
COPY --from=demo-parts /app .
RUN mkdir /demo-data && chown node:node /demo-data
USER 1000:1000
ENTRYPOINT ["/usr/local/bin/node", "demo/serve.ts"]

# --- coatcheck: the image ---
FROM node:${NODE_VERSION}-alpine AS coatcheck
# The package managers have no business in a running gateway.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* /usr/local/bin/yarn*
WORKDIR /app
COPY --from=production /app .
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
EXPOSE 3000
# By number, so that Kubernetes can see that it is not root. Nothing is written: a read-only file system will do.
USER 1000:1000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/coatcheck.js"]
CMD ["start"]
