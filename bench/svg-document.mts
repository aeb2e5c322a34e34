// The frame of a drawing as an SVG document of its own, readable on light and on dark paper.

/** Colours that stay apart for colour-blind readers (Okabe and Ito), on either paper. */
export const OKABE_ITO = {
  orange: '#e69f00',
  purple: '#cc79a7',
  blue: '#0072b2',
  sky: '#56b4e9',
  green: '#009e73',
  vermilion: '#d55e00',
} as const;

const STYLE = `svg{--paper:#fffdf9;--ink:#221d16;--soft:#6b6252;--rule:#ddd3c0;font:12px ui-sans-serif,system-ui,'Segoe UI','Liberation Sans',sans-serif}
@media(prefers-color-scheme:dark){svg{--paper:#1d1f26;--ink:#ece6d9;--soft:#a9a08f;--rule:#383a44}}
.paper{fill:var(--paper)}text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-size:15px;font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}.rule{stroke:var(--rule);fill:none}.level{stroke:var(--soft);stroke-dasharray:3 3;fill:none}`;

/** A document of this many pixels; `title` is what is read to those who do not see it. */
export function svgDocument(width: number, height: number, title: string, body: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"><title>${title}</title><style>${STYLE}</style><rect class="paper" width="100%" height="100%"/>
${body}
</svg>
`;
}

/** A coordinate to a tenth of a pixel. */
export const tenth = (value: number): number => Math.round(value * 10) / 10;
