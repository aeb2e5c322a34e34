// The page around any result: one HTML file with its own style and script, and a policy that admits nothing else.
import { Markup, html } from './markup.js';
import { script, style } from './page-assets.generated.js';
import { policyHash } from './sha256.js';

interface Shell {
  readonly title: string;
  /** Id of the first part, and the words of the link that leads there. */
  readonly skip: readonly [id: string, words: string];
  /** Below the title. */
  readonly head: Markup;
  readonly main: Markup;
  /** Of limn. */
  readonly version: string | undefined;
  readonly footer: Markup;
}

/** The whole file. It loads nothing, and runs nothing but the script whose hash its policy names. */
export function pageShell({ title, skip: [id, words], head, main, version = '', footer }: Shell): string {
  const policy = [
    `default-src 'none'`,
    `script-src '${policyHash(script)}'`,
    `style-src '${policyHash(style)}'`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `require-trusted-types-for 'script'`,
    `trusted-types 'none'`,
  ].join('; ');
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${new Markup(policy)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>${title} · limn</title>
        ${new Markup(`<style>${style}</style>`)}
      </head>
      <body>
        <a class="skip" href="#${id}">${words}</a>
        <header class="page-head">
          <p class="mark">limn</p>
          <h1>${title}</h1>
          ${head}
        </header>
        <main>${main}</main>
        <footer>Made by limn ${version}. ${footer}</footer>
        ${new Markup(`<script>${script}</script>`)}
      </body>
    </html> `.text;
}
