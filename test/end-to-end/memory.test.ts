/** `--memory`: refused where it would not hold, and what becomes of who was killed for want of it. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { House } from './house.ts'

/** What a wrapper in a scope would have left, written by the agent itself, which is then killed. */
const OUT_OF_MEMORY = `
cd "$HOLDFAST_HOME"/tasks/*/runs/1
printf '0::/user.slice/of-mine.scope\\n1073741824\\n' >cgroup
printf 'oom 1\\noom_kill 3\\n' >memory.events
sed 's/"mark"/"scope":{"unit":"of-mine","memoryBytes":null},"mark"/' launch.json >launch.json.mine
mv launch.json.mine launch.json
kill -9 $$
`

test('no limit is left out in silence, and want of memory is told as what it is', async () => {
  const house = new House()
  const runtime = join(house.scratch, 'runtime')
  mkdirSync(runtime)
  const environment = { XDG_RUNTIME_DIR: runtime }
  const run = (words: readonly string[], more = {}) =>
    house.run(['run', 'command', ...words, '--', 'true'], {
      environment: { ...environment, ...more },
    })
  const refused = await run(['--memory', '4G'])
  expect(refused).toMatchObject({ code: 5, stdout: '' })
  expect(refused.stderr).toMatch(/no systemd user manager runs here[\s\S]*--memory none/)
  expect((await run([], { HOLDFAST_MEMORY_BYTES: '4294967296' })).code).toBe(5)
  for (const size of ['0', '4 G', 'much']) expect((await run(['--memory', size])).code).toBe(2)
  house.write('holdfast.json', '{"memoryBytes": 4294967296}')
  const theirs = await run([])
  expect([theirs.code, theirs.stderr]).toEqual([2, expect.stringContaining('memoryBytes')])
  house.write('holdfast.json', '{}')
  expect(JSON.parse(await house.ok(['status', '--json'])).tasks).toEqual([])

  const id = await house.submit(
    ['command', '--memory', 'none', '--', '/bin/sh', '-c', OUT_OF_MEMORY],
    { environment: { ...environment, HOLDFAST_MEMORY_BYTES: '4294967296' } },
  )
  expect(await house.wait(id)).toMatchObject({
    state: 'failed',
    memoryBytes: null,
    error: { code: 'out_of_memory', hint: expect.stringContaining('holdfast resume') },
  })
  expect(await house.ok(['logs', id])).toContain('the kernel killed 3 of its processes')
  expect((await house.run(['retry', id, '--memory', '4G'], { environment })).code).toBe(5)
})
