/**
 * How servers that merge spellings see a header's name: lower case, and whatever is neither letter nor digit as `-`. CGI and what descends from it make
 * one variable of `X-User`, `X_User` and `X.User`, so no twin of a name that is removed or written may slip through.
 */
export function canonicalHeaderName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')
}
