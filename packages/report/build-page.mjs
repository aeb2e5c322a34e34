// Makes src/page-assets.generated.ts: the page's script (src/client) and style (src/page.css), bundled and minified as strings.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const home = import.meta.dirname;
const settings = {
  bundle: true,
  minify: true,
  write: false,
  charset: 'ascii',
  legalComments: 'none',
  absWorkingDir: home,
};

/** The script and the style, as they stand in a page. */
export async function pageAssets() {
  const made = async (entry, target) =>
    (await build({ ...settings, entryPoints: [entry], target })).outputFiles[0].text.trim();
  const script = await made('src/client/main.ts', 'es2020');
  const style = await made('src/page.css', ['chrome109', 'firefox115', 'safari16']);
  if (/<\/(script|style)|<!--/i.test(script + style))
    throw new Error('The page’s own script or style would end its element.');
  return { script, style };
}

if (process.argv[1] === import.meta.filename) {
  const { script, style } = await pageAssets();
  const lines = [
    '// Made by build-page.mjs from src/client and src/page.css; a test compares.',
    `export const script = ${JSON.stringify(script)};`,
    `export const style = ${JSON.stringify(style)};`,
  ];
  writeFileSync(join(home, 'src/page-assets.generated.ts'), `${lines.join('\n')}\n`);
}
