import { describe, expect, it } from 'vitest'
import { anchorsOf, findBrokenLinks, type LinkFiles } from '../../scripts/check-links.ts'

function filesOf(contents: Readonly<Record<string, string>>): LinkFiles {
  return { read: (path) => contents[path] ?? '', exists: (path) => path in contents }
}

describe('the link check', () => {
  const files = (text: string) =>
    filesOf({
      'docs/a.md': text,
      'docs/b.md': '# Big `code` heading: two\n## Same\n## Same\n<a id="own"></a>',
      'README.md': '# Top',
      '../outside.md': '# Exists, but not for those who read the page elsewhere',
      'docs/images/x y.png': '',
    })
  const broken = (text: string) =>
    findBrokenLinks('docs/a.md', files(text)).map(({ line, target }) => `${line} ${target}`)

  it('follows files, anchors, images and references', () => {
    const text = [
      '# Here',
      '[b](b.md) [h](b.md#big-code-heading-two) ![i](images/x%20y.png) [r](../README.md#top)',
      '[same](b.md#same-1) [own](b.md#own) [self](#here) [ref]',
      '[ref]: b.md',
      '<img src="images/x%20y.png">',
    ].join('\n')
    expect(broken(text)).toEqual([])
  })

  it('names each link that leads nowhere, with its line', () => {
    const text = [
      '[gone](gone.md)',
      '[x](b.md#nope) [out](../../outside.md)',
      '[self](#not-here)',
      '[ref]: gone2.md',
      '<img src="gone.png">',
    ].join('\n')
    expect(broken(text)).toEqual([
      '1 gone.md',
      '2 b.md#nope',
      '2 ../../outside.md',
      '3 #not-here',
      '4 gone2.md',
      '5 gone.png',
    ])
  })

  it('leaves other sites and code alone', () => {
    const text = [
      '[x](https://example.com/x) [m](mailto:a@b) `[c](gone.md)`',
      '```',
      '[c](gone.md)',
      '# Not a heading',
      '```',
    ].join('\n')
    expect(broken(text)).toEqual([])
    expect(anchorsOf(text).size).toBe(0)
  })
})
