//! Parts from outside: what is written is read, whatever is selected; damage and power cuts
//! never give wrong samples.

mod corpus;
mod crash;
mod damage;
mod reading;
mod series;
