import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const page = new URL('../../docs/security.md', import.meta.url)

test('each promise of the threat model is linked to a test that is there', () => {
  const lines = readFileSync(page, 'utf8').split('\n')
  const promises = lines.filter(
    line => line.startsWith('| ') && !/^\| [^|]* \| [^|]* \| test \|/.test(line),
  )
  expect(promises.length).toBeGreaterThan(20)
  for (const line of promises) {
    const links = [...line.matchAll(/\]\(([^)#]+)/g)].map(match => match[1] ?? '')
    expect(
      links.some(link => link.startsWith('../test/')),
      line,
    ).toBe(true)
    const missing = links.filter(link => !existsSync(fileURLToPath(new URL(link, page))))
    expect(missing, line).toEqual([])
  }
})
