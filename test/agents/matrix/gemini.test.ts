import { testRow } from './row.ts'

testRow('gemini')
