//! The product, told in stories: each test starts the real programs on this machine, does something real, and looks at what came of it
//! through the command line and in the store's file. Root, because the sensor loads kernel programs.

mod stories {
    mod advice;
    mod attack;
    mod containers;
    mod crash;
    mod evidence;
    mod export;
    mod identity;
    mod rights;
    mod rotation;
    mod storm;
    mod techniques;
    mod unit;
}
