/** What the user trusts: `trust.json` in the state directory. */
import { join } from 'node:path'
import * as z from 'zod/mini'
import type { Locks } from '../ports/lock.ts'
import type { Trust, Trusted } from '../ports/trust.ts'
import { prepareHome } from './home.ts'
import { readDocument, writeDocument } from './private-file.ts'

const FILE = 'trust.json'
const LOCK = 'trust'
/** Writing takes milliseconds. */
const LOCK_LIMIT_MS = 10_000

/** Made when it is needed: most who ask find no file. */
const makeSchema = () =>
  z.object({
    version: z.literal(1),
    trusted: z.array(
      z.object({
        repository: z.string(),
        digest: z.string(),
        argv: z.array(z.string()),
        scripts: z.array(z.string()),
        at: z.number(),
      }),
    ),
  })

/** `home` is the state directory, absolute. */
export function makeTrust(home: string, locks: Locks): Trust {
  const file = join(home, FILE)
  const change = (work: (all: readonly Trusted[]) => readonly Trusted[]) => {
    prepareHome(home)
    return locks.withLock(LOCK, LOCK_LIMIT_MS, async () => {
      const before = read(file)
      const after = work(before)
      if (after.length !== before.length) writeDocument(file, { version: 1, trusted: after })
      return before.length - after.length
    })
  }
  const isSame = (a: Trusted, repository: string, digest: string) =>
    a.repository === repository && a.digest === digest
  return {
    isTrusted(repository, digest) {
      try {
        return read(file).some(one => isSame(one, repository, digest))
      } catch {
        // `trust` says what is wrong with it; meanwhile nothing runs that should not.
        return false
      }
    },
    list: () => read(file),
    async add(trusted) {
      const { repository, digest } = trusted
      await change(all =>
        all.some(one => isSame(one, repository, digest)) ? all : [...all, trusted],
      )
    },
    revoke: repository => change(all => all.filter(one => one.repository !== repository)),
  }
}

function read(file: string): readonly Trusted[] {
  const hint = 'nothing is trusted by it; move it away, and trust anew'
  return readDocument(file, json => makeSchema().parse(json).trusted, hint) ?? []
}
