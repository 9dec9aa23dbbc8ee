"""Reference systems without a network: openSMILE functionals and a linear SVM."""
