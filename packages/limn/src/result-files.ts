// Single files that a command writes beside what it prints: known as limn's own before any work, so that nothing of another's is replaced.
import { refuseForeignFile, writeFileWhole } from './output.js';

/** The mark of limn's pages, which each has at its top. */
const PAGE_MARK = '<p class="mark">limn</p>';

const textOf = (content: Uint8Array): string => Buffer.from(content).toString('utf8');

/**
 * Refuses a file that is there and is no record of this format.
 * @throws LimnError `usage/output-exists`, `disk/write`
 */
export function refuseForeignRecord(file: string, format: string): void {
  refuseForeignFile(file, (content) => {
    try {
      const value: unknown = JSON.parse(textOf(content));
      return typeof value === 'object' && value !== null && 'format' in value && value.format === format;
    } catch {
      return false;
    }
  });
}

/**
 * Refuses a file that is there and is no page of limn's.
 * @throws LimnError `usage/output-exists`, `disk/write`
 */
export function refuseForeignPage(file: string): void {
  refuseForeignFile(file, (content) => textOf(content).includes(PAGE_MARK));
}

/**
 * Refuses a file that is there and does not begin with this line.
 * @throws LimnError `usage/output-exists`, `disk/write`
 */
export function refuseForeignTable(file: string, header: string): void {
  refuseForeignFile(file, (content) => textOf(content).startsWith(`${header}\n`));
}

/**
 * Writes a text whole or not at all.
 * @throws LimnError `disk/write`
 */
export function writeTextWhole(file: string, text: string): void {
  writeFileWhole(file, new TextEncoder().encode(text));
}
