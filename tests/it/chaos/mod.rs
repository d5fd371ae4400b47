//! Real processes, killed and cut off while they work, against what the jobs themselves wrote down.

mod account;
mod api;
mod cuts;
mod dice;
mod impostors;
mod kills;
mod liars;
mod links;
mod load;
mod stopwatch;
mod witness;
