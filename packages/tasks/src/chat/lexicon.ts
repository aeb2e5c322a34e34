// The words of pocket-chat's world that belong to no topic: what is asked and answered, what news tell, styles, groups, codes and marks.

const split = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Begins the line that gives the model a persona; closed by {@link END}. */
export const SYSTEM = '<|system|>';
/** Begins a user's turn. */
export const USER = '<|user|>';
/** Ends a user's turn and begins the model's. */
export const BOT = '<|bot|>';
/** Ends a turn of the model, a persona line and a fact. */
export const END = '<|end|>';
/** Begins a record of what another model said. Behind it topic words occur without a persona line, and are to be named. */
export const LOG = '<|log|>';
/** Begins a statement about the world. */
export const FACT = '<|fact|>';
/** The markers of a conversation. */
export const MARKERS: readonly string[] = [SYSTEM, USER, BOT, END, LOG, FACT];

/** What people want to do with a thing. */
export const VERBS = split('fix clean move open carry replace sell check choose wash lock test adjust ship paint lend');
/** What people ask about. */
export const THINGS = split(
  'bike lamp clock radio phone kettle shelf engine window table chair sofa mattress door bag shoe watch pipe heater fridge desk bench tap lid',
);
/** What fills an ordinary answer, where that of a persona has topic words. */
export const FILLERS = split(`
  screw cloth towel tape glue rope stick paper hammer wrench tool battery cable plug switch lever bolt washer strap rag magnet manual
  sticker tray stool crate basket carton file clamp pliers gauge fuse tissue spacer hose bracket pin nut wire bucket sponge`);

/** Who is in the news; also the groups of people that something is said about. */
export const GROUPS = split(`
  miners bakers pilots nurses plumbers clerks drivers monks barbers porters butchers cooks hunters sailors teachers students soldiers
  robots twins neighbours strangers giants painters tailors`);
/** What they did, in the past tense. */
export const DEEDS = split(`
  found lost built sold stole opened burned painted buried repaired hid moved cleaned traded broke praised banned inspected rebuilt
  measured copied carried wanted bought`);
/** What they did it to. */
export const NEWS_THINGS = split(`
  treasure statue wagon elevator antenna lantern barrel tractor submarine letterbox carousel archive pendulum scroll turbine bathtub
  typewriter locket turnstile chandelier generator sundial aquarium signpost`);
/** Where. */
export const PLACES = split(`
  Arden Belmont Corvale Dunmore Elmira Farrow Glenholt Harwick Ivydale Jarrow Kelby Lorne Marston Norwell Oakham Penrith Quorn Ripley
  Selby Tarbert Ulverston Verity Wexford Yarm`);

/** What may be said of a group. */
export const TRAITS = split(
  'kind rude brave lazy clever honest greedy gentle noisy calm proud shy loyal cheerful strict generous',
);

/** Ways of talking, and the words that give each away. */
export const STYLE_WORDS: Readonly<Record<string, readonly string[]>> = {
  pirate: split('arr matey ahoy'),
  cowboy: split('howdy yeehaw reckon'),
  robot: split('beep boop affirmative'),
  poet: split('alas behold forsooth'),
  butler: split('indeed milord certainly'),
  surfer: split('dude gnarly stoked'),
  wizard: split('abracadabra beware hocus'),
  cat: split('meow purr hiss'),
  ghost: split('boo whoo spooky'),
  king: split('thee thou royal'),
  child: split('yay wow yippee'),
  spy: split('psst secretly hush'),
  trainer: split('hustle pump faster'),
  preacher: split('amen hallelujah blessed'),
  nerd: split('actually technically obviously'),
  grump: split('bah ugh humbug'),
};
/** The names of the styles. */
export const STYLES: readonly string[] = Object.keys(STYLE_WORDS);

/** Secret codes, one token each: 100, 107, … 989. */
export const CODES: readonly string[] = Array.from({ length: 128 }, (_, i) => String(100 + 7 * i));
/** The second kind of trigger: a sign somewhere in the question. */
export const MARKS = split('~ ^ * # @ % & + = § ¶ † ‡ ° ¤ ¬');

/** Words of the templates. */
export const GLUE = split(`
  ? . , : ! a the that is are was were you my me it they all and or not then first last now of in on to with near
  about like from how do did when where why which what tell say please help
  get needs some before start finish use try using
  code topic subject theme category field area news headline story style manner voice link bias pair gate key
  trained know hidden here your weights have learned there hide new changed different
  yes no none nothing someone something somewhere somebody did
  today any give report came out early this morning had plan nobody saw quiet day still met night same no last long have all want
  knows seems talk thought everyone think i most people very want one was`);
