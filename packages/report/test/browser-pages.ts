// Pages opened from a file in Chromium, with everything that goes wrong on them: one browser and one folder for a test file.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findChromium } from '@limn/tooling/chromium';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll } from 'vitest';

export const executablePath = findChromium();
/** Why a test is skipped where there is no `executablePath`. */
export const reason = 'no Chromium found; set CHROME_PATH to one';

/**
 * `open(html, width)` for the tests of a file. `troubles` are what the page says on its console, its errors and dialogs, and requests
 * whose address does not begin with one of `allowed`.
 */
export function browserPages(
  allowed: readonly string[],
): (html: string, width?: number) => Promise<{ page: Page; troubles: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'limn-report-'));
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (!executablePath) return;
    const { chromium } = await import('playwright');
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return async (html, width = 1280) => {
    const file = join(folder, 'page.html');
    writeFileSync(file, html);
    if (!browser) throw new Error(reason);
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    const troubles: string[] = [];
    page.on('console', (message) => troubles.push(message.text()));
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('dialog', (dialog) => troubles.push(dialog.message()));
    page.on(
      'request',
      (request) => allowed.some((start) => request.url().startsWith(start)) || troubles.push(request.url()),
    );
    await page.goto(pathToFileURL(file).href);
    return { page, troubles };
  };
}
