import { type Parser, ValueFault } from '../setting.ts'
import { listOf } from './values.ts'

/** 32 characters hold 128 bits even when they are only hexadecimal digits. */
const leastSecretCharacters = 32

const sessionSecret: Parser<string> = (untrusted) => {
  if (untrusted.length < leastSecretCharacters) {
    throw new ValueFault(
      `must have at least ${leastSecretCharacters} characters; make one with: coatcheck secret`,
    )
  }
  return untrusted
}

/** Session secrets: the first seals, all open. */
export const sessionSecrets: Parser<readonly string[]> = listOf(sessionSecret)

/** A password or client secret: any text but control characters. */
export const secretText: Parser<string> = (untrusted) => {
  for (const character of untrusted) {
    if ((character.codePointAt(0) ?? 0) < 0x20)
      throw new ValueFault('holds a control character or line break')
  }
  return untrusted
}

/** One or more certificates, PEM. */
export const certificatePem: Parser<string> = (untrusted) => {
  if (!/-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----[\s\S]+-----END /.test(untrusted)) {
    throw new ValueFault('is no PEM certificate (-----BEGIN CERTIFICATE-----)')
  }
  return untrusted
}

/** A private key, PEM, without a passphrase. */
export const privateKeyPem: Parser<string> = (untrusted) => {
  if (!/-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[\s\S]+-----END /.test(untrusted)) {
    throw new ValueFault('is no PEM private key (-----BEGIN PRIVATE KEY-----)')
  }
  if (/ENCRYPTED/.test(untrusted))
    throw new ValueFault('is a key with a passphrase, which nobody could type in')
  return untrusted
}
