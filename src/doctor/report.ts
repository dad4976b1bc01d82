import type { Finding, Status } from './finding.ts'

/** A finding, and the check that made it. */
export interface CheckedFinding extends Finding {
  /** The id of the check. */
  readonly check: string
}

/** The JSON report (`docs/doctor.md`). Members are added, never renamed or given another meaning, while `schema` stays. */
export interface DoctorReport {
  readonly schema: 1
  /** Coatcheck's version. */
  readonly version: string
  /** Whether nothing failed: the exit code says the same. */
  readonly ok: boolean
  /** `ISSUER_URL`; `null` when the settings cannot be read. */
  readonly issuer: string | null
  /** The provider's name, when it was recognised by its issuer. */
  readonly provider: string | null
  readonly counts: Readonly<Record<Status, number>>
  readonly checks: readonly CheckedFinding[]
}

/** Whose configuration was examined. */
export interface Patient {
  readonly version: string
  readonly issuer: string | null
  readonly provider: string | null
}

/** Puts the report together. */
export function toReport(patient: Patient, findings: readonly CheckedFinding[]): DoctorReport {
  const count = (status: Status): number => findings.filter((finding) => finding.status === status).length
  const counts = { pass: count('pass'), warn: count('warn'), fail: count('fail'), skip: count('skip') }
  const checks = findings.map(({ check, status, subject, summary, fix }) => ({
    check,
    status,
    ...(subject === undefined ? {} : { subject }),
    summary,
    ...(fix === undefined ? {} : { fix }),
  }))
  return { schema: 1, ...patient, ok: counts.fail === 0, counts, checks }
}

/** The first line for a person. */
export function renderTitle({ version, issuer, provider }: Patient): string {
  const of = issuer === null ? '' : ` · ${issuer}${provider === null ? '' : ` (${provider})`}`
  return `coatcheck doctor ${version}${of}`
}

/** A finding as one line: status, check, what it is about, what was found and how to mend it. */
export function renderFinding({ status, check, subject, summary, fix }: CheckedFinding): string {
  const label = subject === undefined ? check : `${check} ${subject}`
  return `${status}  ${label}: ${summary}${fix === undefined ? '' : ` Fix: ${fix}`}`
}

/** Writes findings as lines, as they come. */
export interface LineWriter {
  write(finding: CheckedFinding): void
  /** Writes what was held back. */
  end(): void
}

/**
 * Makes one line of checks that were skipped one after the other for the same reason: it is one piece of news.
 *
 * @param print writes a line
 */
export function createLineWriter(print: (line: string) => void): LineWriter {
  let skipped: readonly CheckedFinding[] = []
  const end = (): void => {
    const [first] = skipped
    if (first === undefined) return
    print(renderFinding({ ...first, check: skipped.map(({ check }) => check).join(', ') }))
    skipped = []
  }
  return {
    write(finding) {
      const isSame = finding.status === 'skip' && finding.summary === skipped[0]?.summary
      if (!isSame) end()
      if (finding.status === 'skip') skipped = [...skipped, finding]
      else print(renderFinding(finding))
    },
    end,
  }
}

/** The last line for a person. */
export function renderCounts({ pass, warn, fail, skip }: DoctorReport['counts']): string {
  const skipped = skip === 0 ? '' : `, ${skip} skipped`
  return `${fail} failed, ${warn} to look at, ${pass} passed${skipped}.`
}
