import { expect, test } from 'vitest'
import { asSessionId } from '../../src/domain/ids.ts'
import { makeRedact, redactEvent, redactOutcome, redactShapes } from '../../src/domain/redact.ts'

const pem =
  '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\n-----END OPENSSH PRIVATE KEY-----'

test.each([
  ['OpenAI', `key ${'sk-proj-'}${'aB3_'.repeat(10)}!`, 'key [redacted]!'],
  ['GitHub', `ghp_${'a'.repeat(36)} gho_${'b'.repeat(36)}`, '[redacted] [redacted]'],
  ['GitHub, fine-grained', `github_pat_${'a1_'.repeat(20)}`, '[redacted]'],
  ['GitLab', `glpat-${'x'.repeat(20)}`, '[redacted]'],
  ['AWS', `id AKIA${'ABCD'.repeat(4)}.`, 'id [redacted].'],
  ['Slack', 'xoxb-123456789012-abcdef', '[redacted]'],
  ['a Slack address', 'https://hooks.slack.com/services/T0/B0/xyz', 'https://[redacted]'],
  ['a JWT', `eyJhbGciOiJI.eyJzdWIiOiIx.${'s'.repeat(20)}`, '[redacted]'],
  ['a private key', `a\n${pem}\nb`, 'a\n[redacted]\nb'],
  ['a private key that is cut', pem.slice(0, 60), '[redacted]'],
  ['an address', 'postgres://app:hunter2@db/x', 'postgres://app:[redacted]@db/x'],
  [
    'an authorisation',
    `-H 'Authorization: Bearer ${'q'.repeat(24)}'`,
    `-H 'Authorization: Bearer [redacted]'`,
  ],
  ['none', 'task-force sk-1 disk-usage-of-everything https://a:80/x me@host AKIA', undefined],
  ['a commit', 'a1b2c3d4e5f60718293a4b5c6d7e8f9012345678', undefined],
])('what looks like a secret: %s', (_, text, redacted) =>
  expect(redactShapes(text)).toBe(redacted ?? text),
)

test('what the environment calls a secret is one, and its longest form goes first', () => {
  const redact = makeRedact({
    MY_API_KEY: 'a.b*c(d)e',
    MY_API_KEY_OLD: 'a.b*c(d)e-older',
    PGPASSWORD: 'correct horse',
    DEPLOY_CREDENTIALS: 'line one is long enough here\nline two is long enough here\n',
    SHORT_TOKEN: 'true',
    SSH_AUTH_SOCK: '/tmp/ssh-agent',
    KEY_FILE: '/home/dev/key.pem',
    TOKENIZERS_PARALLELISM: 'falsefalse',
    HOME: '/home/dev',
    UNSET_KEY: undefined,
  })
  expect(redact('a.b*c(d)e-older a.b*c(d)e axb*c(d)e')).toBe('[redacted] [redacted] axb*c(d)e')
  expect(redact('psql: correct horse')).toBe('psql: [redacted]')
  expect(redact('> line two is long enough here')).toBe('> [redacted]')
  const kept = 'true /tmp/ssh-agent /home/dev/key.pem falsefalse'
  expect(redact(kept)).toBe(kept)
  // Cut by whoever has shortened it.
  const long = 'x'.repeat(500)
  expect(redact(`ct horse ${long} correct h`)).toBe(`[redacted] ${long} [redacted]`)
})

test('of an event its texts, of an outcome its message', () => {
  const redact = makeRedact({ MY_TOKEN: 'topsecret1' })
  const command = 'curl -H topsecret1'
  expect(
    redactEvent({ kind: 'command_ended', command, exitCode: 0, output: 'topsecret1' }, redact),
  ).toEqual({
    kind: 'command_ended',
    command: 'curl -H [redacted]',
    exitCode: 0,
    output: '[redacted]',
  })
  const session = { kind: 'session_started', session: asSessionId('topsecret1') } as const
  expect(redactEvent(session, redact)).toBe(session)
  const failure = {
    code: 'agent_crashed',
    message: 'died: \u001b[31mtopsecret1',
    hint: 'h',
  } as const
  expect(redactOutcome({ kind: 'interrupted', failure, notBefore: 5 }, redact)).toEqual({
    kind: 'interrupted',
    failure: { ...failure, message: 'died: [redacted]' },
    notBefore: 5,
  })
  expect(redactOutcome({ kind: 'succeeded' }, redact)).toEqual({ kind: 'succeeded' })
})
