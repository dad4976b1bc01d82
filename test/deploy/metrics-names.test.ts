import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { errorCodes } from '../../src/errors/codes.ts'
import { createPrometheusMetrics } from '../../src/telemetry/measures/prometheus.ts'
import { gatewaySeries, type Series, supervisorSeries } from '../../src/telemetry/measures/series.ts'

const read = (path: string) => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), 'utf8')

interface Dashboard {
  readonly panels: readonly {
    readonly id: number
    readonly title: string
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
  }[]
}
interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string
      readonly expr: string
      readonly labels: { readonly severity: string }
      readonly annotations: { readonly summary: string; readonly description: string }
    }[]
  }[]
}

const dashboard = JSON.parse(read('grafana/coatcheck.json')) as Dashboard
const alerts = (parse(read('prometheus/alerts.yaml')) as Rules).groups.flatMap(({ rules }) => rules)
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets)
const expressions = [...queries.map(({ expr }) => expr), ...alerts.map(({ expr }) => expr)]

/** Series and their labels by the names under which samples are found. */
async function knownSamples(): Promise<ReadonlyMap<string, readonly string[]>> {
  const known = new Map<string, readonly string[]>()
  const all: readonly Series[] = [...Object.values(gatewaySeries), ...Object.values(supervisorSeries)]
  for (const { name, kind, labels } of all) {
    const names = Object.keys(labels)
    if (kind !== 'histogram') known.set(name, names)
    else for (const suffix of ['bucket', 'sum', 'count']) known.set(`${name}_${suffix}`, [...names, 'le'])
  }
  const text = await createPrometheusMetrics().exposition.text()
  for (const [, name = ''] of text.matchAll(/^# TYPE ((?:nodejs|process)_\w+)/gm)) known.set(name, [])
  return known
}

/** Labels that Prometheus adds to every sample. */
const scrapeLabels = ['job', 'instance']

describe('dashboard and alert rules', () => {
  test('ask only for series that there are, with labels that they have', async () => {
    const known = await knownSamples()
    const strange: string[] = []
    for (const expression of expressions) {
      for (const [, name = '', selector = ''] of expression.matchAll(
        /\b((?:coatcheck|nodejs|process)_\w+)(?:\{([^}]*)\})?/g,
      )) {
        const labels = known.get(name)
        if (labels === undefined) strange.push(`${name} in ${expression}`)
        for (const [, label = ''] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
          if (![...(labels ?? []), ...scrapeLabels].includes(label)) strange.push(`${name}{${label}}`)
        }
      }
    }
    expect(strange).toEqual([])
  })

  test('group by labels that the series of the expression have', async () => {
    const known = await knownSamples()
    const strange = expressions.flatMap((expression) => {
      const names = [...expression.matchAll(/\b((?:coatcheck|nodejs|process)_\w+)/g)].map(
        ([, name = '']) => name,
      )
      const labels = new Set([...names.flatMap((name) => known.get(name) ?? []), ...scrapeLabels])
      return [...expression.matchAll(/\b(?:by|on) \(([^)]*)\)/g)]
        .flatMap(([, list = '']) => list.split(',').map((label) => label.trim()))
        .filter((label) => !labels.has(label))
        .map((label) => `${label} in ${expression}`)
    })
    expect(strange).toEqual([])
  })

  test('name only problem codes that exist', () => {
    const named = expressions.flatMap((expression) =>
      [...expression.matchAll(/code="(\w+)"/g)].map(([, code = '']) => code),
    )
    expect(named.length).toBeGreaterThan(2)
    expect(named.filter((code) => !(errorCodes as readonly string[]).includes(code))).toEqual([])
  })

  test('show every series of the gateway and the supervisor', () => {
    const asked = queries.map(({ expr }) => expr).join('\n')
    const all = [...Object.values(gatewaySeries), ...Object.values(supervisorSeries)]
    expect(all.filter(({ name }) => !asked.includes(name)).map(({ name }) => name)).toEqual([])
  })

  test('say how urgent each alert is and what it means, under a name of its own', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
    for (const { labels, annotations } of alerts) {
      expect(['page', 'ticket']).toContain(labels.severity)
      expect(annotations.summary).toMatch(/\w/)
      expect(annotations.description).toMatch(/\.$/)
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
  })
})
