// The page of a blind study: features without source or numbers, each to be called interpretable, maybe or not; what raters say is saved as a file.
import { RATINGS, type BlindStudy } from '@limn/transcoders';
import { RATINGS_FORMAT } from './rating-files.js';

/** JSON that ends no script element, whatever its texts are. */
const scriptJson = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

/** One self-contained HTML page. Tokens come into it as text only; nothing is loaded from anywhere. */
export function ratingPage(study: BlindStudy): string {
  const data = scriptJson({ study, format: RATINGS_FORMAT, ratings: RATINGS });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>Rating features</title>
<style>${STYLE}</style>
<main>
<h1>Rating features</h1>
<p>Each box is one feature of one of several kinds; which kind is hidden. It fires on the token in bold, more strongly the darker its colour. Can you say in a sentence when it fires?</p>
<noscript><p>This page needs its script to show the features.</p></noscript>
<div class="bar"><p id="count" aria-live="polite"></p><button type="button" id="save">Save ratings</button></div>
<div id="items"></div>
</main>
<script type="application/json" id="data">${data}</script>
<script>${SCRIPT}</script>
</html>
`;
}

const STYLE = `
:root{color-scheme:light dark;--paper:#fbf8f2;--raised:#fffdf9;--ink:#221d16;--soft:#6b6252;--rule:#ddd3c0}
@media(prefers-color-scheme:dark){:root{--paper:#16171c;--raised:#1d1f26;--ink:#ece6d9;--soft:#a9a08f;--rule:#383a44}}
*{box-sizing:border-box}
html{background:var(--paper);color:var(--ink)}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
h1,h2,h3{font-family:Georgia,'Liberation Serif',serif;font-weight:400}
h3{color:var(--soft);font-size:1rem;margin:1rem 0 .3rem}
section{background:var(--raised);border:1px solid var(--rule);border-radius:.3rem;margin:1rem 0;padding:.5rem 1rem}
.bar{background:var(--paper);border-bottom:1px solid var(--rule);display:flex;gap:1rem;align-items:center;justify-content:space-between;padding:.5rem 0;position:sticky;top:0}
.bar p{margin:0}
/* An example that takes several lines stays one: its later lines stand back, and a rule is below it. */
.line{white-space:pre-wrap;margin:0;padding:.15rem 0 .15rem 1.5rem;text-indent:-1.5rem;border-bottom:1px solid var(--rule);overflow-wrap:anywhere}
.last{margin-bottom:.6rem}
.line span{border-radius:.2rem;padding:0 .05rem;text-indent:0}
.apart span{margin-right:.3rem}
.dark{color:#000}
b{text-decoration:underline}
fieldset{border:0;padding:0;margin:.5rem 0}
label{margin-right:1rem}
input[type=text]{width:min(100%,30rem)}
`;

/** Reads the data of the page; texts are set by textContent. Ratings are kept in this browser until they are saved. */
const SCRIPT = `
const {study,format,ratings}=JSON.parse(document.getElementById('data').textContent);
const kept='limn ratings '+study.keyDigest;
let said={};
try{said=JSON.parse(localStorage.getItem(kept))||{}}catch{}
const element=(name,props={},...children)=>{const made=Object.assign(document.createElement(name),props);made.append(...children);return made};
const changed=()=>{
  try{localStorage.setItem(kept,JSON.stringify(said))}catch{}
  const done=study.items.filter(({id})=>said[id]&&said[id].rating).length;
  document.getElementById('count').textContent=done+' of '+study.items.length+' rated';
};
const line=({tokens,texts,at,shades})=>{
  const words=texts||tokens.map(String);
  const apart=!words.some(word=>/\\s/.test(word));
  const made=element('p',{className:apart?'line apart':'line'});
  shades.forEach((shade,i)=>{
    const token=element('span',{className:shade>0?'dark':''},i===at?element('b',{textContent:words[i]||'▢'}):words[i]||'▢');
    if(shade>0)token.style.background='rgb(255 '+Math.round(255-115*shade)+' '+Math.round(255-255*shade)+')';
    made.append(token);
    if(apart)made.append(element('wbr'));
  });
  return made;
};
for(const {id,top,bands} of study.items){
  const mine=said[id]||(said[id]={});
  const choice=value=>{
    const input=element('input',{type:'radio',name:'rating'+id,value,checked:mine.rating===value});
    input.addEventListener('change',()=>{mine.rating=value;changed()});
    return element('label',{},input,' '+value);
  };
  const free=element('input',{type:'checkbox',checked:mine.contextFree===true});
  free.addEventListener('change',()=>{mine.contextFree=free.checked;changed()});
  const note=element('input',{type:'text',value:mine.note||'',maxLength:1000});
  note.addEventListener('input',()=>{mine.note=note.value;changed()});
  document.getElementById('items').append(element('section',{},
    element('h2',{textContent:'Feature '+id}),
    element('h3',{textContent:'Where it fires most'}),...top.map(line),
    element('h3',{textContent:'From strong to weak'}),...[...bands].reverse().flatMap(band=>{const lines=band.map(line);lines.at(-1)?.classList.add('last');return lines}),
    element('fieldset',{},element('legend',{textContent:'Feature '+id+' is'}),...ratings.map(choice)),
    element('p',{},element('label',{},free,' the token alone says when it fires')),
    element('p',{},element('label',{},'Note ',note))));
}
changed();
document.getElementById('save').addEventListener('click',()=>{
  const list=study.items.flatMap(({id})=>{
    const {rating,contextFree,note}=said[id]||{};
    return rating?[{id,rating,contextFree:contextFree===true,...(note?{note}:{})}]:[];
  });
  const text=JSON.stringify({format,keyDigest:study.keyDigest,ratings:list},null,1);
  const link=element('a',{href:URL.createObjectURL(new Blob([text],{type:'application/json'})),download:'ratings.json'});
  link.click();
  setTimeout(()=>URL.revokeObjectURL(link.href));
});
`;
