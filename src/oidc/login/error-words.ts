const wrongRequest =
  'The identity provider does not accept the request of this application. Its operator finds the reason in the log.'
const askSomebody =
  'The identity provider needs you to sign in, or to answer a question, before it can let you in.'

/** Error codes of an authorization response (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6), for the person who sees them. */
const words: Readonly<Record<string, string>> = {
  access_denied: 'You did not allow the sign-in, or the identity provider does not let you in.',
  consent_required: 'You have not allowed this application yet to sign you in.',
  login_required: askSomebody,
  interaction_required: askSomebody,
  account_selection_required: 'The identity provider has to ask which of your accounts you want to use.',
  temporarily_unavailable: 'The identity provider is overloaded or under maintenance. Try again in a moment.',
  server_error: 'Something went wrong at the identity provider. Try again in a moment.',
  unmet_authentication_requirements: 'The stronger sign-in that was asked for could not be done.',
  invalid_request: wrongRequest,
  unauthorized_client: wrongRequest,
  unsupported_response_type: wrongRequest,
  invalid_scope: wrongRequest,
  invalid_target: wrongRequest,
  request_not_supported: wrongRequest,
  request_uri_not_supported: wrongRequest,
  invalid_request_object: wrongRequest,
  registration_not_supported: wrongRequest,
  // What was pushed lives for a minute or so, and an address that was kept leads to nothing.
  invalid_request_uri: 'This sign-in has waited too long, or was used before. Begin it again.',
}

const codeLike = /^[A-Za-z0-9_.-]{1,64}$/

/** A sentence for an error code; an unknown one is shown as it is, if it looks like one. */
export function inWords(untrustedError: string): string {
  const known = Object.hasOwn(words, untrustedError) ? words[untrustedError] : undefined
  if (known !== undefined) return known
  return codeLike.test(untrustedError)
    ? `The identity provider answered with the error "${untrustedError}".`
    : 'The identity provider answered with an error.'
}
