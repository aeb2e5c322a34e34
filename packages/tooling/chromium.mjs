// Finds the Chromium that browser tests use.
import { existsSync } from 'node:fs';

const usual = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** CHROME_PATH where it is set ('none' means: do not look), else a Chromium in one of the usual places. */
export function findChromium(environment = process.env) {
  const named = environment.CHROME_PATH;
  if (named) return named !== 'none' && existsSync(named) ? named : undefined;
  return usual.find((path) => existsSync(path));
}
