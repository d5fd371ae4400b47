// What every page needs: live updates, forms without a jump, times in the reader's zone, dialogues that close.
import { keepLive } from "./live.js";
import { takeForms } from "./forms.js";
import { tickTimes } from "./times.js";
import { closeAsked } from "./ask.js";
import { fadeToasts } from "./toasts.js";
import { filterAsTyped } from "./filter.js";

document.documentElement.classList.add("scripted");
tickTimes();
takeForms();
closeAsked();
fadeToasts();
filterAsTyped();
keepLive();
