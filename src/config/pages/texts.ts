import { z } from 'zod'
import { errorCodes } from '../../errors/codes.ts'

/** Every text of the gateway's own pages that no problem document brings along. */
export interface PageTexts {
  readonly openApp: string
  readonly signInAgain: string
  readonly requestIdLabel: string
  readonly codeLabel: string
  readonly confirmLogoutTitle: string
  readonly confirmLogoutText: string
  readonly confirmLogoutButton: string
  readonly loggedOutTitle: string
  readonly signingInTitle: string
  readonly continueButton: string
}

/** The texts in English. */
export const englishTexts: PageTexts = {
  openApp: 'Open the app',
  signInAgain: 'Sign in again',
  requestIdLabel: 'Request id',
  codeLabel: 'Code',
  confirmLogoutTitle: 'Sign out?',
  confirmLogoutText: 'You are about to sign out of this application.',
  confirmLogoutButton: 'Sign out',
  loggedOutTitle: 'Signed out',
  signingInTitle: 'Signing in',
  continueButton: 'Continue',
}

const someText = z.string().min(1).optional()

const languageSchema = z.strictObject({
  openApp: someText,
  signInAgain: someText,
  requestIdLabel: someText,
  codeLabel: someText,
  confirmLogoutTitle: someText,
  confirmLogoutText: someText,
  confirmLogoutButton: someText,
  loggedOutTitle: someText,
  signingInTitle: someText,
  continueButton: someText,
  problems: z
    .partialRecord(z.enum(errorCodes), z.strictObject({ title: someText, detail: someText }))
    .optional(),
} satisfies Readonly<Record<keyof PageTexts | 'problems', z.ZodType>>)

/** One language: what it says instead of English, titles and details of problems by code included. */
export type PageLanguage = z.infer<typeof languageSchema>

/** A language tag (BCP 47) of usual form. */
const languageTag = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/

/** `texts.yaml`: languages by their tags; the first one is shown to whoever prefers none of them. */
export const pageTextsSchema = z
  .record(z.string().regex(languageTag, 'is no language tag such as de or pt-BR'), languageSchema)
  .refine((languages) => Object.keys(languages).length > 0, 'names no language')
