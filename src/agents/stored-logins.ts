/** `auth.json` of OpenCode and Pi: a login for each provider, by its name. */
import * as z from 'zod/mini'
import type { Environment } from '../ports/agent.ts'
import { maybe } from './loose.ts'
import { findJson } from './read-json.ts'

const file = z.record(
  z.string(),
  z.looseObject({ type: maybe(z.string()), key: maybe(z.string()), accountId: maybe(z.string()) }),
)

/** Tokens that are renewed are lost if the new ones are not written down. */
export function isRenewed(auth: string): boolean {
  return Object.values(findJson(auth, file) ?? {}).some(({ type }) => type === 'oauth')
}

/** What tells accounts apart; a token that is renewed leaves it as it was. `keys`: names of variables. */
export function loginMarks(
  auth: string,
  keys: readonly string[],
  environment: Environment,
): readonly string[] {
  return [
    ...keys.flatMap(name => (environment[name] ? [`${name}=${environment[name]}`] : [])),
    ...Object.entries(findJson(auth, file) ?? {}).map(
      ([name, { key, accountId }]) => `${name}:${key ?? accountId ?? ''}`,
    ),
  ]
}
