// What the server sends to the story: `payload` in fcn/ui/story/story.py. Arrays of bytes are packed by `pack`.

interface StoryData {
  key: string;
  present: boolean;
  alt: string;
  photo: string; // address
  width: number;
  height: number;
  stride: number;
  palette: Colour[];
  classes: string[];
  ignored: number; // label of pixels without a class
  features: Record<string, string>; // by stride
  coarse: string; // class of each cell
  stamps: string; // labels after one to four cells have stamped their kernels
  labels_32: string;
  labels_16: string;
  labels_8: string;
  truth: string | null;
  stops: string[];
  beats: Beat[];
}

/** The same as `Beat` in fcn/ui/story/beats.py. */
interface Beat {
  stop: number;
  sentence: string;
  number: string;
  unit: string;
}

/** The cells before and after a pixel along a side, and the weight of the one before. */
type Share = [before: number, after: number, weight: number];

type Paintable = HTMLImageElement | HTMLCanvasElement;
