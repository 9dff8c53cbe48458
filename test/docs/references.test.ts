import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { references } from '../../scripts/references.ts'

test.each(Object.entries(await references()))('%s is what the code says', (path, text) => {
  expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(text)
})
