import { ConfigError } from '../config/config-error.ts'
import type { Environment } from '../config/environment.ts'
import { type Config, loadConfig } from '../config/load-config.ts'
import type { Check, DoctorContext } from './check.ts'
import { describeFaults, describeSettings, settingsCheckId } from './checks/settings.ts'
import { checks, frontChecks, loginChecks } from './checks.ts'
import { createDoctorContext } from './context.ts'
import { type Finding, fail, SkipCheck } from './finding.ts'
import type { LoginDesk } from './login/real-login.ts'
import { type CheckedFinding, type DoctorReport, type Patient, toReport } from './report.ts'
import { createScrubber } from './scrub.ts'

/** How to examine. */
export interface Examination {
  readonly env: Environment
  /** Loads what is examined; what the environment says unless told otherwise. @throws ConfigError */
  readonly load?: () => Config
  readonly version: string
  /** The clock, epoch milliseconds. */
  readonly now: () => number
  /** Where somebody signs in once; without it nobody does. */
  readonly desk: LoginDesk | undefined
  /** Only what happens to a browser's request on its way here, for who is at work on a proxy; everything unless told so. */
  readonly isFrontOnly?: boolean
  /** Told whose configuration it is, before anything was found. */
  readonly begin: (patient: Patient) => void
  /** Told of each finding as soon as it is there. */
  readonly tell: (finding: CheckedFinding) => void
}

/** Checks a configuration against the live world. */
export async function examine(examination: Examination): Promise<DoctorReport> {
  const loaded = tryToLoad(examination.load ?? (() => loadConfig(examination.env)))
  return 'config' in loaded ? examineWorld(loaded.config, examination) : tellAll(examination, loaded.faults)
}

function tellAll(examination: Examination, faults: ConfigError['faults']): DoctorReport {
  const patient: Patient = { version: examination.version, issuer: null, provider: null }
  examination.begin(patient)
  const findings = describeFaults(faults).map((finding) => ({ ...finding, check: settingsCheckId }))
  for (const finding of findings) examination.tell(finding)
  return toReport(patient, findings)
}

function tryToLoad(load: () => Config): { readonly config: Config } | Pick<ConfigError, 'faults'> {
  try {
    return { config: load() }
  } catch (error) {
    if (error instanceof ConfigError) return { faults: error.faults }
    throw error
  }
}

function scrubbed(finding: Finding, scrub: (text: string) => string): Pick<Finding, 'summary' | 'fix'> {
  const fix = finding.fix === undefined ? {} : { fix: scrub(finding.fix) }
  return { summary: scrub(finding.summary), ...fix }
}

async function examineWorld(config: Config, examination: Examination): Promise<DoctorReport> {
  const { env, version, now, desk, isFrontOnly = false } = examination
  const { context, close } = createDoctorContext(config, { now, desk: desk ?? nobody })
  const scrub = createScrubber(config)
  const findings: CheckedFinding[] = []
  const tell = (check: string, finding: Finding): void => {
    const checked = { ...finding, ...scrubbed(finding, scrub), check }
    findings.push(checked)
    examination.tell(checked)
  }
  try {
    const patient = { version, issuer: config.issuerUrl, provider: await recognise(context) }
    examination.begin(patient)
    for (const finding of describeSettings(config, env)) tell(settingsCheckId, finding)
    for (const check of [...(isFrontOnly ? frontChecks : checks), ...(desk ? loginChecks : [])]) {
      for (const finding of await run(check, context)) tell(check.id, finding)
    }
    return toReport(patient, findings)
  } finally {
    await close()
  }
}

const nobody: LoginDesk = { announce: () => undefined, waitMs: 0 }

async function recognise(context: DoctorContext): Promise<string | null> {
  await context.discovery()
  return context.hints.isRecognised ? context.hints.name : null
}

async function run(check: Check, context: DoctorContext): Promise<readonly Finding[]> {
  try {
    return [await check.examine(context)].flat()
  } catch (error) {
    if (error instanceof SkipCheck) return [{ status: 'skip', summary: error.message }]
    // The message of an error that nobody foresaw may hold anything.
    const name = error instanceof Error ? error.name : typeof error
    return [fail(`The check itself has failed (${name}).`, 'Report this as a defect of Coatcheck.')]
  }
}
