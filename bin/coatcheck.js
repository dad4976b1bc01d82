#!/usr/bin/env node
// Plain, old JavaScript on purpose: it must run on any Node to say in one line which one is needed.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `coatcheck needs Node.js 22.19 or newer; this is ${process.version}. Install a current LTS.\n`,
  )
  process.exit(1)
}

const { existsSync } = await import('node:fs')
const built = new URL('../dist/cli.js', import.meta.url)
const source = new URL('../src/cli.ts', import.meta.url)
// Sources run as they are in a checkout; Node refuses to strip their types under node_modules.
const entry = existsSync(built) ? built : source
if (!existsSync(entry) || (entry === source && source.pathname.includes('/node_modules/'))) {
  process.stderr.write(
    'coatcheck is not built: run "npm run build" in its folder, or install a packed release.\n',
  )
  process.exit(1)
}
await import(entry.href)
