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
await import(existsSync(built) ? built.href : new URL('../src/cli.ts', import.meta.url).href)
