/** Repositories that an agent made: their settings are the agent's, and obeyed by nobody else. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { House } from './house.ts'

test('where an agent made a repository, no task is handed in and nothing is applied', async () => {
  const house = new House()
  const trap = join(house.scratch, 'sprung')
  const make = [
    'mkdir own && cd own && git init -q .',
    'echo x > x && git add x && git -c user.name=a -c user.email=a@localhost commit -qm one',
    `printf '[filter "trap"]\\n clean = touch ${trap}; cat\\n' >> .git/config`,
    "echo '* filter=trap' > .gitattributes; echo y >> x",
  ].join('; ')
  const id = await house.submitScript(make)
  expect((await house.wait(id)).state).toBe('succeeded')
  const directory = join(house.worktree(id), 'own')
  for (const words of [
    ['run', 'command', '--', 'true'],
    ['apply', id, '--to', directory],
  ]) {
    const { code, stderr } = await house.run(words, { directory })
    expect([words, code]).toEqual([words, 5])
    expect(stderr).toContain('a repository that an agent made')
  }
  expect(existsSync(trap)).toBe(false)
})
