import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { build } from 'vite'
import { describe, expect, it } from 'vitest'
import { isImmutable, usualBuildFolders } from '../../../src/http/spa/immutable-name.ts'

const isKept = (path: string): boolean => isImmutable(path, usualBuildFolders)

describe('a built file is kept for ever', () => {
  it.each([
    // webpack 5.113, Create React App's names and webpack's own.
    'static/js/main.c6bc715b.js',
    'static/js/480.717870d3.chunk.js',
    'static/js/480.717870d3.chunk.js.map',
    'static/media/pic.2d27a8e2e92b61d615d2.png',
    'main.2d27a8e2e92b61d615d2.js',
    // Vue CLI.
    'js/app.3f2a1b9c.js',
    'fonts/inter.3f2a1b9c.woff2',
    // Angular's application builder.
    'main-5XQZ4KMD.js',
    'chunk-WKYGNSYM.js',
    'styles-5INURTSO.css',
    'media/roboto-W4QVLXKA.woff2',
    // Next.js 16.4, exported.
    '_next/static/media/p.378x64_9t3kqh.png',
    '_next/static/chunks/0cz1d0mv5g_q7.js',
    '_next/static/chunks/3qfy96eoyh-ek.js',
    '_next/static/chunks/turbopack-2u1d16houkiyo.js',
    '_next/static/zP7eT1pH7xF6RBv56kJTw/_buildManifest.js',
    // Next.js 15 by webpack.
    '_next/static/chunks/main-app-0a1b2c3d4e5f6a7b.js',
    // Vite, SvelteKit, Nuxt, Astro.
    'assets/index-D1wrgTda.js',
    'assets/index-BXwrgTda.css',
    'assets/index-B-x_kT2d.js',
    'assets/lazy-_kT-B2dx.js',
    '_app/immutable/chunks/B3x_yz12.js',
    '_nuxt/D1wrgTda.js',
    '_astro/index.D1wrgTda.css',
  ])('%s', (path) => {
    expect(isKept(path)).toBe(true)
  })
})

describe('a file that people named is revalidated', () => {
  it.each(
    [
      'banner-summer2024.jpg',
      'logo-company2.png',
      'icon-1024x1024.png',
      'env-runtime1.js',
      'photo-20240101.png',
      'chunk-HomePage.js',
      'icon-DarkMode.svg',
      'icon-iPhone12.png',
      'logo-my-Logo1.png',
      'logo-ORIGINAL.png',
      'component.js',
      'Settings.js',
      'facade12.css',
    ].flatMap((name) => [name, `assets/${name}`, `static/media/${name}`]),
  )('%s', (path) => expect(isKept(path)).toBe(false))

  it.each(['report/index-D1wrgTda.js', 'uploads/main.c6bc715b.js', 'index.html', '_nuxt/builds/latest.json'])(
    '%s',
    (path) => expect(isKept(path)).toBe(false),
  )

  it('outside of the folders that the operator names', () => {
    expect(isImmutable('lib/index-D1wrgTda.js', ['lib'])).toBe(true)
    expect(isImmutable('library/index-D1wrgTda.js', ['lib'])).toBe(false)
    expect(isImmutable('assets/index-D1wrgTda.js', ['lib'])).toBe(false)
    expect(isImmutable('index-D1wrgTda.js', ['.'])).toBe(true)
    expect(isImmutable('assets/index-D1wrgTda.js', ['.'])).toBe(false)
    expect(isImmutable('_next/static/x.js', [])).toBe(false)
  })
})

describe('what Vite really writes', () => {
  it('is kept but for one in ten or so, and what it merely copied is not', async () => {
    const root = await mkdtemp(join(tmpdir(), 'coatcheck-vite-names-'))
    try {
      await writeApp(root, 120)
      await build({ root, logLevel: 'silent', build: { modulePreload: false } })
      const files = await filesOf(join(root, 'dist'))
      const copied = ['assets/banner-summer2024.jpg', 'assets/logo-company2.png']
      expect(files).toEqual(expect.arrayContaining(copied))
      expect(copied.filter(isKept)).toEqual([])
      const built = files.filter((file) => file.startsWith('assets/') && !copied.includes(file))
      expect(built.length).toBeGreaterThan(120)
      expect(built.filter(isKept).length / built.length).toBeGreaterThan(0.8)
    } finally {
      await rm(root, { recursive: true })
    }
  })
})

async function writeApp(root: string, pages: number): Promise<void> {
  await mkdir(join(root, 'public/assets'), { recursive: true })
  for (const name of ['banner-summer2024.jpg', 'logo-company2.png']) {
    await writeFile(join(root, 'public/assets', name), 'picture')
  }
  const names = Array.from({ length: pages }, (_, at) => `page${at}.js`)
  for (const name of names) await writeFile(join(root, name), `export const page = ${JSON.stringify(name)}`)
  await writeFile(
    join(root, 'main.js'),
    names.map((name) => `import('./${name}').then(({ page }) => console.log(page))`).join('\n'),
  )
  await writeFile(join(root, 'index.html'), '<script type="module" src="/main.js"></script>')
}

async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
}
