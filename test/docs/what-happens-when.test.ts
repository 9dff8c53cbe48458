/** Each claim of the page names the test that holds it. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const PAGE = new URL('../../docs/what-happens-when.md', import.meta.url)
const LINK = /\]\((\.\.\/test\/[^ )]+) "([^"]+)"\)/g

test('every line of “what happens when” is held by a test of that name', () => {
  const rows = readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter(line => line.startsWith('| ') && !line.startsWith('| when |'))
  expect(rows.length).toBeGreaterThan(20)
  const broken: string[] = []
  for (const row of rows) {
    const links = [...row.matchAll(LINK)]
    if (links.length === 0) broken.push(`without a test: ${row}`)
    for (const [, file = '', name = ''] of links) {
      const path = new URL(file, PAGE)
      const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
      if (!text.includes(name)) broken.push(`${file} has no test "${name}"`)
    }
  }
  expect(broken).toEqual([])
})
