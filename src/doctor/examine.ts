import { ConfigError } from '../config/config-error.ts'
import type { Environment } from '../config/environment.ts'
import { type Config, loadConfig } from '../config/load-config.ts'
import { providerHints } from '../oidc/provider-hints.ts'
import type { Check, DoctorContext } from './check.ts'
import { describeFaults, describeSettings, settingsCheckId } from './checks/settings.ts'
import { checks, loginChecks } from './checks.ts'
import { createDoctorContext } from './context.ts'
import { type Finding, fail, SkipCheck } from './finding.ts'
import type { LoginDesk } from './login/real-login.ts'
import { type CheckedFinding, type DoctorReport, type Patient, toReport } from './report.ts'
import { createScrubber } from './scrub.ts'

/** How to examine. */
export interface Examination {
  readonly env: Environment
  readonly version: string
  /** The clock, epoch milliseconds. */
  readonly now: () => number
  /** Where somebody signs in once; without it nobody does. */
  readonly desk: LoginDesk | undefined
  /** Told whose configuration it is, before anything was found. */
  readonly begin: (patient: Patient) => void
  /** Told of each finding as soon as it is there. */
  readonly tell: (finding: CheckedFinding) => void
}

/** Checks a configuration against the live world. */
export async function examine(examination: Examination): Promise<DoctorReport> {
  const { env, version } = examination
  const loaded = tryToLoad(env)
  const config = 'config' in loaded ? loaded.config : undefined
  const patient = describePatient(version, config)
  examination.begin(patient)
  const findings: CheckedFinding[] = []
  const scrub = config === undefined ? (text: string) => text : createScrubber(config)
  const tell = (check: string, finding: Finding): void => {
    const checked = { ...finding, ...scrubbed(finding, scrub), check }
    findings.push(checked)
    examination.tell(checked)
  }
  const first = 'config' in loaded ? describeSettings(loaded.config, env) : describeFaults(loaded.faults)
  for (const finding of first) tell(settingsCheckId, finding)
  if (config !== undefined) await examineWorld(config, examination, tell)
  return toReport(patient, findings)
}

type Tell = (check: string, finding: Finding) => void

function tryToLoad(env: Environment): { readonly config: Config } | Pick<ConfigError, 'faults'> {
  try {
    return { config: loadConfig(env) }
  } catch (error) {
    if (error instanceof ConfigError) return { faults: error.faults }
    throw error
  }
}

function describePatient(version: string, config: Config | undefined): Patient {
  if (config === undefined) return { version, issuer: null, provider: null }
  const { name, isRecognised } = providerHints(config.issuerUrl)
  return { version, issuer: config.issuerUrl, provider: isRecognised ? name : null }
}

function scrubbed(finding: Finding, scrub: (text: string) => string): Pick<Finding, 'summary' | 'fix'> {
  const fix = finding.fix === undefined ? {} : { fix: scrub(finding.fix) }
  return { summary: scrub(finding.summary), ...fix }
}

async function examineWorld(config: Config, { now, desk }: Examination, tell: Tell): Promise<void> {
  const nobody = { announce: () => undefined, waitMs: 0 }
  const { context, close } = createDoctorContext(config, { now, desk: desk ?? nobody })
  try {
    for (const check of desk === undefined ? checks : [...checks, ...loginChecks]) {
      for (const finding of await run(check, context)) tell(check.id, finding)
    }
  } finally {
    await close()
  }
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
